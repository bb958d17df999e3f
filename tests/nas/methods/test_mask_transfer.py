"""Tickets of a file or of another task."""

from dataclasses import replace

import numpy as np
import pytest

import onnx_graph
from nas.tasks.task import Task
from nas.training import TrainingResult, apply_result, train, train_population
from nas.training.methods import MethodError, create, mask_transfer
from nas.training.methods.mask_transfer import MaskTransfer
from nas.training.options import TrainingOptions
from nas.training.testing import OPTIONS, mlp, rnn, task_for
from onnx_graph.weight import masks, set_weights, weights
from search_spaces.network_builder import NetworkBuilder

TASK = task_for((1, 4, 4), 0)


def tiny(values, *, matmul=False):
    """Three outputs from four inputs; as Gemm ``(3, 4)`` or as MatMul stored ``(4, 3)``."""
    builder = NetworkBuilder((1, 2, 2), "tiny")
    x = builder.flatten(builder.input)
    builder.finish(builder.matmul(x, 3, "product") if matmul else builder.gemm(x, 3, "head"))
    name = "product.weight" if matmul else "head.weight"
    model = builder.model({name: np.ones((3, 4), bool)})
    array = np.array(values, np.float32)
    set_weights(model, {name: array.T if matmul else array})
    return model


SOURCE = [[0.5, 0, 0, -3], [0, 0.2, 0, 0], [0, -1, 2, 0]]


def written(model, folder):
    path = folder / "source.onnx"
    onnx_graph.save(model, path)
    return str(path)


def kept(result, name="head.weight"):
    return (result.weights[name] != 0).astype(int).tolist()


@pytest.mark.parametrize("matmul", [False, True])
def test_takes_the_non_zeros_of_a_file_whatever_their_orientation(matmul, tmp_path):
    method = MaskTransfer(source=written(tiny(SOURCE, matmul=matmul), tmp_path))
    model, task = tiny(np.ones((3, 4))), task_for((1, 2, 2), 0)
    result = train(model, task, OPTIONS, method=method, density=5 / 12)
    assert kept(result) == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 1, 1, 0]]
    # Three of five: the largest, −3, 2 and −1.
    result = train(model, task, OPTIONS, method=method, density=3 / 12)
    assert kept(result) == [[0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 0]]


def test_weights_start_from_their_own_initial_values(tmp_path):
    method = MaskTransfer(source=written(tiny(SOURCE), tmp_path))
    still = TrainingOptions(epochs=1, batch_size=48, learning_rate=1e-9)
    model, task = tiny(np.ones((3, 4))), task_for((1, 2, 2), 0)
    ticket = train(model, task, still, method=method, density=5 / 12, seed=3).weights["head.weight"]
    dense = train(model, task, still, density=1.0, seed=3).weights["head.weight"]
    np.testing.assert_allclose(ticket, np.where(np.array(SOURCE) != 0, dense, 0), atol=1e-6)


def test_says_what_does_not_fit(tmp_path):
    path = written(tiny(SOURCE), tmp_path)
    with pytest.raises(MethodError, match="holds 5 non-zero weights, fewer than the 6"):
        train(tiny(np.ones((3, 4))), task_for((1, 2, 2), 0), OPTIONS, method=MaskTransfer(source=path), density=0.5)
    with pytest.raises(MethodError, match="has 1 weights, the network 4"):
        train(mlp(), TASK, OPTIONS, method=MaskTransfer(source=path), density=0.3)
    with pytest.raises(
        MethodError, match=r"hidden_1.weight' of .* is 8 × 16, 'hidden_1.weight' of the network 16 × 16"
    ):
        train(mlp(16), TASK, OPTIONS, method=MaskTransfer(source=written(mlp(8), tmp_path)), density=0.3)
    for options in ({}, {"source": path, "task": "digits"}):
        with pytest.raises(MethodError, match="either source"):
            MaskTransfer(**options)
    with pytest.raises(MethodError, match="starts dense"):
        MaskTransfer(task="digits", by="rigl")


@pytest.fixture
def other_task(monkeypatch):
    """Another task under the name ``other``: the labels of the first half of the classes are exchanged."""
    swap = np.array([1, 0, 2])

    def moved(split):
        return replace(split, x=np.ascontiguousarray(split.x[..., ::-1]), y=swap[split.y])

    other = replace(TASK, name="other", train=moved(TASK.train), validation=moved(TASK.validation))

    def load(name, *, subset):
        assert (name, subset) == ("other", None)
        return other

    monkeypatch.setattr(mask_transfer, "load_task", load)
    return other


def test_finds_the_mask_on_the_source_task_and_trains_on_the_target(other_task):
    method = create("mask-transfer", {"task": "other", "by": "magnitude"})
    moved = train(mlp(), TASK, OPTIONS, method=method, density=0.3, seed=2)
    source = train(mlp(), other_task, OPTIONS, method="magnitude", density=0.3, seed=2)
    at_home = train(mlp(), TASK, OPTIONS, method="magnitude", density=0.3, seed=2)
    found = [masks(apply_result(mlp(), result)) for result in (moved, source, at_home)]
    assert all((found[0][name] == found[1][name]).all() for name in found[0])
    assert any((found[0][name] != found[2][name]).any() for name in found[0])
    # Only the second training appears in the result.
    assert len(moved.losses) == OPTIONS.epochs


def test_networks_of_a_padded_stack_find_what_they_find_alone(other_task):
    method = MaskTransfer(task="other", by="magnitude")
    models = [mlp(8), mlp(16)]
    together = train_population(models, TASK, OPTIONS, seeds=[1, 2], method=method, density=[0.3, 0.2])
    for model, seed, density, result in zip(models, [1, 2], [0.3, 0.2], together, strict=True):
        assert isinstance(result, TrainingResult)
        alone = train(model, TASK, OPTIONS, method=method, seed=seed, density=density)
        for weight in weights(model):
            assert ((alone.weights[weight.name] != 0) == (result.weights[weight.name] != 0)).all()


def test_a_source_task_of_another_shape_is_refused(monkeypatch):
    def load(name: str, *, subset: int | None) -> Task:
        return task_for((5, 4), 5)

    monkeypatch.setattr(mask_transfer, "load_task", load)
    with pytest.raises(ValueError, match="shape"):
        train(mlp(), TASK, OPTIONS, method=MaskTransfer(task="steps"), density=0.3)


def test_recurrent_weights_go_over_too(tmp_path):
    task = task_for((5, 4), 5)
    first = train(rnn("gru"), task, OPTIONS, method="magnitude", density=0.3)
    source = apply_result(rnn("gru"), first)
    method = MaskTransfer(source=written(source, tmp_path))
    result = train(rnn("gru"), task, OPTIONS, method=method, density=0.3, seed=9)
    expected, found = masks(source), masks(apply_result(rnn("gru"), result))
    assert all((expected[name] == found[name]).all() for name in expected)
