"""Criteria of pruning: worked numbers, and the curvature of a model whose Hessian is known."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir
import pytest
import torch

from nas.tasks.task import Split, Task
from nas.training import saliencies
from nas.training.device import arithmetic
from nas.training.loop.session import Session
from nas.training.options import TrainingOptions
from nas.training.saliencies.curvature import PROBES, curvature_diagonal
from nas.training.stack.stack import Member
from onnx_graph.weight import set_weights
from search_spaces.network_builder import NetworkBuilder
from search_spaces.signature import Signature

HIDDEN = [[0.1, -0.9, 0.5], [0.4, 0.0, -0.6]]
HEAD = [[3.0, -5.0], [8.0, 0.0]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks as small as these lose time to a second one."""
    with arithmetic(torch.device("cpu"), 1):
        yield


def linear(inputs: int, outputs: int, weight: list[list[float]] | None = None) -> ir.Model:
    builder = NetworkBuilder((inputs,), "linear")
    model = builder.finish(builder.gemm(builder.input, outputs, "head", bias=False)).model(
        {"head.weight": np.ones((outputs, inputs), np.bool_)}
    )
    if weight is not None:
        set_weights(model, {"head.weight": np.array(weight, np.float32)})
    return model


def perceptron(hidden: list[list[float]] = HIDDEN, head: list[list[float]] = HEAD) -> ir.Model:
    builder = NetworkBuilder((len(hidden[0]),), "perceptron")
    x = builder.activation(builder.gemm(builder.input, len(hidden), "hidden"), "relu", "activation")
    builder.finish(builder.gemm(x, len(head), "head"))
    model = builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})
    set_weights(model, {"hidden.weight": np.array(hidden, np.float32), "head.weight": np.array(head, np.float32)})
    return model


def task(inputs: int, outputs: int, x: np.ndarray | None = None) -> Task:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, inputs)) if x is None else x
    split = Split(x=x.astype(np.float32), y=rng.integers(0, outputs, len(x)))
    signature = Signature(input_shape=(inputs,), outputs=outputs)
    return Task(name="noise", signature=signature, train=split, validation=split, test=split)


def session(models: list[ir.Model], data: Task, *, seeds: list[int] | None = None, batch: int = 64) -> Session:
    options = TrainingOptions(init="keep", batch_size=batch)
    members = [Member.of(model, seed) for model, seed in zip(models, seeds or range(len(models)), strict=False)]
    return Session(members, data, options, torch.device("cpu"), keep=[1] * len(models))


def test_magnitude() -> None:
    found = saliencies.magnitude(session([perceptron()], task(3, 2)))
    assert found["hidden.weight"].tolist() == [[pytest.approx([0.1, 0.9, 0.5]), pytest.approx([0.4, 0, 0.6])]]


def test_magnitude_over_deviation_counts_kept_weights_only() -> None:
    # head: 3, −5, 8 are kept: mean 2, mean square (9 + 25 + 64) / 3 = 98/3, deviation sqrt(98/3 − 4) = 5.354
    found = saliencies.magnitude_over_deviation(session([perceptron()], task(3, 2)))
    deviation = np.sqrt(98 / 3 - 4)
    assert found["head.weight"][0].tolist() == [
        pytest.approx([3 / deviation, 5 / deviation]),
        pytest.approx([8 / deviation, 0]),
    ]


def test_random_scores_are_those_of_the_network_alone_in_a_padded_stack() -> None:
    small, large = perceptron(), perceptron([[1.0] * 3] * 4, [[1.0] * 4] * 2)
    alone = saliencies.random(session([small], task(3, 2), seeds=[5]))
    stacked = saliencies.random(session([large, small], task(3, 2), seeds=[4, 5]))
    assert (stacked["hidden.weight"][1, :2] == alone["hidden.weight"][0]).all()
    assert (stacked["head.weight"][1, :, :2] == alone["head.weight"][0]).all()
    assert (stacked["head.weight"][1, :, 2:] == -1).all()
    assert not (stacked["hidden.weight"][0, :2] == alone["hidden.weight"][0]).any()


def test_curvature_is_the_hessian_of_a_linear_model() -> None:
    """Where logits are linear in the weights, that of class k and input j has the second derivative mean of p_k·(1 − p_k)·x_j²."""
    weight = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    data = task(4, 3)
    p = torch.from_numpy(data.train.x @ weight.T).softmax(1).numpy()
    exact = (p * (1 - p)).T @ np.square(data.train.x) / len(data.train)
    # The relative standard error of 1,000 probes is at most sqrt(2 / 1000) = 4.5 %.
    both = session([linear(4, 3, weight.tolist())] * 2, data, seeds=[7, 8])
    found = curvature_diagonal(both, 1000)["head.weight"]
    assert found[0].numpy() == pytest.approx(exact, rel=0.2)
    assert found[1].numpy() == pytest.approx(exact, rel=0.2)
    assert (found[0] != found[1]).all()


def test_obd_is_half_the_curvature_times_the_square() -> None:
    data = task(2, 2)
    curvature = curvature_diagonal(session([linear(2, 2, [[1.0, 2.0], [3.0, -4.0]])], data), PROBES)["head.weight"]
    found = saliencies.optimal_brain_damage(session([linear(2, 2, [[1.0, 2.0], [3.0, -4.0]])], data))["head.weight"]
    assert found[0].numpy() == pytest.approx((0.5 * curvature[0] * torch.tensor([[1.0, 4.0], [9.0, 16.0]])).numpy())


def test_obd_ranks_a_large_weight_of_a_silent_input_last() -> None:
    """Magnitude would keep it."""
    x = np.random.default_rng(2).standard_normal((40, 2))
    x[:, 1] = 0
    given = session([linear(2, 2, [[0.1, 9.0], [-0.2, 9.0]])], task(2, 2, x))
    assert (saliencies.optimal_brain_damage(given)["head.weight"][0, :, 1] == 0).all()
    assert (saliencies.optimal_brain_damage(given)["head.weight"][0, :, 0] > 0).all()


def test_obd_needs_no_labels_and_skips_targets_that_do_not_count() -> None:
    """Steps that are padding may hold anything."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((16, 4, 3)).astype(np.float32)
    y = rng.integers(0, 2, (16, 4))
    y[:, 3] = -1
    other_x, other_y = x.copy(), 1 - y
    other_x[:, 3], other_y[:, 3] = 100, -1
    found = []
    for data, targets in ((x, y), (other_x, y), (x, other_y), (2 * x, y)):
        split = Split(x=data, y=targets)
        steps = Task(
            name="steps", signature=Signature(input_shape=(4, 3), outputs=2), train=split, validation=split, test=split
        )
        builder = NetworkBuilder((4, 3), "steps")
        model = builder.finish(builder.matmul(builder.input, 2, "head")).model({"head.weight": np.ones((2, 3), bool)})
        found.append(saliencies.optimal_brain_damage(session([model], steps))["head.weight"])
    assert torch.allclose(found[0], found[1])
    assert torch.allclose(found[0], found[2])
    assert not torch.allclose(found[0], found[3], rtol=0.1)
