"""Population training: equal to one by one, also for networks that are stacked, padded, stopped or diverged."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import onnx_ir as ir
import pytest
import torch

from nas.errors import TrainingError, UsageError
from nas.tasks import load_task
from nas.tasks.task import Split, Task
from nas.training import TrainingOptions, TrainingResult, train, train_population
from nas.training.population import stacks
from nas.training.stack.graph_shape import graph_shape
from nas.training.stack.stack import Member, Stack
from search_spaces import create
from search_spaces.network_builder import NetworkBuilder
from search_spaces.signature import Signature


def drawn(builder: NetworkBuilder, seed: int, density: float = 0.5) -> ir.Model:
    """The model with random masks."""
    rng = np.random.default_rng(seed)
    return builder.model({layer.name: rng.random(layer.shape) < density for layer in builder.layers})


def mlp(widths: Sequence[int], seed: int, activation: str = "relu", skip: bool = False) -> ir.Model:
    builder = NetworkBuilder((1, 4, 4), "mlp")
    first = x = builder.flatten(builder.input)
    for layer, width in enumerate(widths):
        x = builder.activation(builder.gemm(x, width, f"hidden_{layer}"), activation, f"activation_{layer}")
    x = builder.gemm(x, 3, "head")
    return drawn(builder.finish(builder.add(x, builder.matmul(first, 3, "skip"), "sum") if skip else x), seed)


def cnn(channels: Sequence[int], seed: int, *, flatten: bool = False, separable: bool = False) -> ir.Model:
    builder = NetworkBuilder((1, 4, 4), "cnn")
    x = builder.input
    for layer, width in enumerate(channels):
        if separable and layer:
            x = builder.convolution(x, channels[layer - 1], 3, f"depth_{layer}", groups=channels[layer - 1], bias=False)
        x = builder.batch_norm(builder.convolution(x, width, 3, f"conv_{layer}", bias=False), f"norm_{layer}")
        x = builder.activation(x, "relu", f"activation_{layer}")
    if not flatten:
        x = builder.node("GlobalAveragePool", [x], ["N", channels[-1], 1, 1], "pool")
    return drawn(builder.finish(builder.gemm(builder.flatten(x), 3, "head")), seed, 0.7)


def rnn(cell: str, hidden: Sequence[int], seed: int) -> ir.Model:
    builder = NetworkBuilder((6, 4), "rnn")
    x: ir.Value | None = builder.transpose(builder.input, (1, 0, 2), "time_first")
    for layer, width in enumerate(hidden):
        assert x is not None
        x, _ = builder.recurrent(x, cell, width, f"layer_{layer}", every_step=True, last_step=False)
    assert x is not None
    x = builder.matmul(builder.transpose(x, (1, 0, 2), "batch_first"), 3, "head")
    return drawn(builder.finish(builder.add(x, builder.parameter("head.bias", 3), "head.sum")), seed)


def images(count: int, seed: int) -> Split:
    """One of three patterns in noise."""
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(7).normal(size=(3, 1, 4, 4))
    y = rng.integers(0, 3, count)
    return Split(x=(patterns[y] + 0.7 * rng.normal(size=(count, 1, 4, 4))).astype(np.float32), y=y.astype(np.int64))


def sequences(count: int, seed: int) -> Split:
    """At each step the class is the sign pattern of a running sum; the last step of some does not count."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 6, 4)).astype(np.float32)
    total = np.cumsum(x[:, :, 0], axis=1)
    y = (total > 0.5).astype(np.int64) + (total > -0.5)
    y[rng.random(count) < 0.5, 5] = -1
    return Split(x=x, y=y)


@pytest.fixture(scope="module")
def image_task() -> Task:
    signature = Signature(input_shape=(1, 4, 4), outputs=3)
    return Task(name="images", signature=signature, train=images(130, 0), validation=images(50, 1), test=images(50, 2))


@pytest.fixture(scope="module")
def sequence_task() -> Task:
    signature = Signature(input_shape=(6, 4), outputs=3, per_step=True)
    return Task(
        name="sums", signature=signature, train=sequences(130, 0), validation=sequences(50, 1), test=sequences(50, 2)
    )


OPTIONS = TrainingOptions(epochs=4, learning_rate=0.01, batch_size=32)

CASES: dict[str, Callable[[int], ir.Model]] = {
    "mlp, mixed widths": lambda i: mlp([5 + 3 * i, 12 - 2 * i], i),
    "mlp with a skip weight, tanh": lambda i: mlp([9 - i, 4 + i], i, "tanh", skip=True),
    "mlp, silu (vmap)": lambda i: mlp([9 - i], i, "silu"),
    "cnn, mixed channels": lambda i: cnn([4 + i, 8 - i], i),
    "cnn, flattened": lambda i: cnn([3 + i], i, flatten=True),
    "cnn, depthwise": lambda i: cnn([3 + i, 6 - i], i, separable=True),
    "gru": lambda i: rnn("gru", [6 - i, 4 + i], i),
    "lstm": lambda i: rnn("lstm", [6 - i, 4 + i], i),
    "rnn": lambda i: rnn("rnn-relu", [6 - i], i),
}


@pytest.mark.parametrize("case", CASES)
def test_a_population_equals_one_by_one(case: str, image_task: Task, sequence_task: Task) -> None:
    task = sequence_task if "rnn" in case or case in ("gru", "lstm") else image_task
    models = [CASES[case](i) for i in range(4)]
    assert len(stacks([Member.of(model, 0) for model in models], 32)) == 1, "the networks are not stacked"
    together = train_population(models, task, OPTIONS, seeds=[11, 12, 13, 14])
    for model, seed, stacked in zip(models, [11, 12, 13, 14], together, strict=True):
        alone = train(model, task, OPTIONS, seed=seed)
        assert isinstance(stacked, TrainingResult)
        assert stacked.weights.keys() == alone.weights.keys()
        for name, weights in alone.weights.items():
            assert np.allclose(stacked.weights[name], weights, atol=1e-4), name
            assert np.array_equal(stacked.weights[name] == 0, weights == 0), name
        assert np.allclose(stacked.losses, alone.losses, atol=1e-4)
        assert np.allclose(stacked.accuracies, alone.accuracies, atol=1 / len(task.validation))
        assert (stacked.seed, stacked.dead_units) == (alone.seed, alone.dead_units)


def test_a_mixed_population_comes_back_in_order(image_task: Task) -> None:
    models = [mlp([5], 0), cnn([3], 1), mlp([7], 2), mlp([5, 5], 3), mlp([6], 4, "tanh"), cnn([3], 5)]
    found = train_population(models, image_task, OPTIONS, seeds=range(6))
    for seed, (model, result) in enumerate(zip(models, found, strict=True)):
        alone = train(model, image_task, OPTIONS, seed=seed)
        assert isinstance(result, TrainingResult)
        assert all(np.allclose(result.weights[name], alone.weights[name], atol=1e-4) for name in alone.weights)


def test_the_same_population_gives_the_same_bits(image_task: Task) -> None:
    first, second = (
        train_population([mlp([5 + i], i) for i in range(5)], image_task, OPTIONS, seeds=range(5)) for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        assert isinstance(one, TrainingResult)
        assert isinstance(other, TrainingResult)
        assert all(one.weights[name].tobytes() == other.weights[name].tobytes() for name in one.weights)


def trained_with(threads: int, task: Task) -> list[TrainingResult]:
    """Six networks, trained in a process with that number of threads."""
    torch.set_num_threads(threads)
    models = [mlp([5 + i], i) for i in range(6)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.training.population.SMALLEST", 2)
        found = train_population(models, task, OPTIONS, seeds=range(6))
    assert torch.get_num_threads() == threads
    return [result for result in found if isinstance(result, TrainingResult)]


@pytest.mark.takes(25, "two processes import torch")
def test_several_threads_give_what_one_gives(image_task: Task) -> None:
    """In processes of their own: the last bits of later tests depend on whether a number of threads was ever set."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        one, two = processes.map(trained_with, (1, 2), (image_task, image_task))
    assert len(one) == len(two) == 6
    for first, second in zip(one, two, strict=True):
        assert all(np.array_equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_a_diverged_network_harms_no_other(image_task: Task) -> None:
    models = [mlp([6], i) for i in range(3)]
    broken = models[1].graph.initializers["hidden_0.weight"]
    array = broken.const_value.numpy() * np.float32(3e38)
    broken.const_value = ir.Tensor(array, name=broken.name)
    keep = TrainingOptions(epochs=3, init="keep")
    first, second, third = train_population(models, image_task, keep, seeds=[0, 1, 2])
    assert isinstance(second, TrainingError)
    assert "not finite" in str(second)
    for model, seed, result in ((models[0], 0, first), (models[2], 2, third)):
        alone = train(model, image_task, keep, seed=seed)
        assert isinstance(result, TrainingResult)
        assert all(np.allclose(result.weights[name], alone.weights[name], atol=1e-5) for name in alone.weights)


def test_each_network_stops_early_by_itself(image_task: Task) -> None:
    options = TrainingOptions(epochs=25, learning_rate=0.05, batch_size=32, patience=2)
    models = [mlp([4 + i], i) for i in range(4)]
    together = train_population(models, image_task, options, seeds=range(4))
    lengths = set()
    for seed, (model, result) in enumerate(zip(models, together, strict=True)):
        alone = train(model, image_task, options, seed=seed)
        assert isinstance(result, TrainingResult)
        assert result.accuracies == alone.accuracies
        assert result.accuracy == max(result.accuracies)
        assert all(np.allclose(result.weights[name], alone.weights[name], atol=1e-3) for name in alone.weights)
        lengths.add(len(result.accuracies))
    assert len(lengths) > 1, "all stopped in the same epoch: nothing is tested"


def test_batch_norm_statistics_are_those_of_each_network(image_task: Task) -> None:
    found = train_population([cnn([3], 0), cnn([3], 1)], image_task, OPTIONS, seeds=[0, 1])
    means = [result.weights["norm_0.mean"] for result in found if isinstance(result, TrainingResult)]
    assert means[0].shape == (3,)
    assert means[0].any()
    assert not np.allclose(means[0], means[1])


def test_seeds_are_counted(image_task: Task) -> None:
    with pytest.raises(UsageError, match="2 models need as many seeds, got 1"):
        train_population([mlp([5], 0), mlp([5], 1)], image_task, seeds=[0])
    assert train_population([], image_task, seeds=[]) == []


# --- what is stacked -------------------------------------------------------------------------------------------------


def test_widths_and_names_do_not_matter_but_activations_and_depth_do() -> None:
    key = graph_shape(mlp([8, 8], 0)).key
    assert graph_shape(mlp([3, 30], 1)).key == key
    assert graph_shape(mlp([8, 8], 0, "tanh")).key != key
    assert graph_shape(mlp([8], 0)).key != key
    assert graph_shape(mlp([8, 8], 0, skip=True)).key != key


def test_cells_kernels_and_slopes_tell_graph_shapes_apart() -> None:
    assert graph_shape(rnn("gru", [4], 0)).key == graph_shape(rnn("gru", [9], 0)).key
    assert graph_shape(rnn("gru", [4], 0)).key != graph_shape(rnn("lstm", [4], 0)).key
    assert graph_shape(rnn("rnn-tanh", [4], 0)).key != graph_shape(rnn("rnn-relu", [4], 0)).key
    model = mlp([8], 0, "leaky-relu")
    key = graph_shape(model).key
    node = next(node for node in model.graph if node.op_type == "LeakyRelu")
    node.attributes["alpha"] = ir.AttrFloat32("alpha", 0.3)
    assert graph_shape(model).key != key


def softmax_inside(width: int) -> ir.Model:
    builder = NetworkBuilder((1, 4, 4), "softmax")
    x = builder.gemm(builder.flatten(builder.input), width, "hidden")
    return drawn(builder.finish(builder.gemm(builder.node("Softmax", [x], ["N", width], "softmax"), 3, "head")), 0)


def test_where_a_zero_unit_would_count_only_equal_shapes_are_stacked() -> None:
    assert graph_shape(softmax_inside(5)).key == graph_shape(softmax_inside(5)).key
    assert graph_shape(softmax_inside(5)).key != graph_shape(softmax_inside(6)).key


def test_gates_are_padded_one_by_one() -> None:
    small, large = rnn("lstm", [2], 0), rnn("lstm", [3], 1)
    stack = Stack([Member.of(small, 0), Member.of(large, 1)], fresh=False, device=torch.device("cpu"))
    # Four gates of two rows become four gates of three rows, the third of zeros.
    own = small.graph.initializers["layer_0.recurrent_weight"].const_value.numpy()[0]
    padded = stack.parameters["layer_0.recurrent_weight"][0, 0].detach().numpy()
    assert padded.shape == (12, 3)
    for gate in range(4):
        assert np.array_equal(padded[3 * gate : 3 * gate + 2, :2], own[2 * gate : 2 * gate + 2])
        assert not padded[3 * gate + 2].any()
        assert not padded[3 * gate : 3 * gate + 3, 2].any()
    assert np.array_equal(stack.arrays(0)["layer_0.recurrent_weight"][0], own)


def test_wide_networks_make_smaller_stacks() -> None:
    narrow = stacks([Member.of(mlp([8], i), i) for i in range(64)], 64)
    wide = stacks([Member.of(mlp([1024, 1024], 0), i) for i in range(8)], 64)
    assert sorted(i for part in narrow for i in part) == list(range(64))
    assert len(narrow) == 2
    assert len(wide) > 2


def test_the_time_is_divided_by_stacks(monkeypatch):
    import nas.training.population as population

    task = load_task("digits", subset=100)
    spaces = [create(name, task.signature) for name in ("mlp", "cnn")]
    models = [space.build(space.plain()[0]) for space in spaces]
    monkeypatch.setattr(population, "PARTS", 1)
    train, took = population.Job.train, {0: 1.0, 1: 3.0}
    monkeypatch.setattr(population.Job, "train", lambda job, part, stop: (train(job, part, stop)[0], took[part[0]]))
    small, large = population.train_population(models, task, TrainingOptions(epochs=2), seeds=[1, 2])
    assert large.seconds == pytest.approx(3 * small.seconds)
    assert small.seconds > 0
