"""Conformance tests of mask methods, to be run over all names.

A test class inherits the contract and gives its fixture, for example::

    class TestMethods(MethodContract):
        @pytest.fixture(params=list(METHODS))
        def method(self, request): return registry.create(request.param)
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx_ir as ir

import onnx_graph
from nas.tasks.task import Split, Task
from nas.training.methods.method import Method, MethodError
from nas.training.options import TrainingOptions, TrainingResult
from nas.training.population import train_population
from nas.training.single import train
from nas.training.trained import apply_result
from onnx_graph import masks
from search_spaces import NetworkBuilder, Signature

OPTIONS = TrainingOptions(epochs=2, batch_size=16, learning_rate=3e-3)
KEPT = TrainingOptions(epochs=2, batch_size=16, learning_rate=3e-3, init="keep")
DENSITY = 0.4


def mlp(width: int = 16) -> ir.Model:
    """A perceptron with a skip weight, inputs divisible by 4."""
    builder = NetworkBuilder((1, 4, 4), "mlp")
    first = builder.flatten(builder.input)
    x = builder.activation(builder.gemm(first, width, "hidden_1"), "relu", "activation_1")
    x = builder.activation(builder.gemm(x, 12, "hidden_2"), "relu", "activation_2")
    return _dense(builder.finish(builder.add(builder.gemm(x, 3, "head"), builder.matmul(first, 3, "skip"), "sum")))


def cnn(channels: int = 8) -> ir.Model:
    """A plain, a grouped and a depthwise convolution with batch normalisation."""
    builder = NetworkBuilder((4, 4, 4), "cnn")
    x = builder.convolution(builder.input, channels, 3, "plain", bias=False)
    x = builder.activation(builder.batch_norm(x, "plain.norm"), "relu", "plain.activation")
    x = builder.activation(builder.convolution(x, channels, 3, "grouped", groups=2), "relu", "grouped.activation")
    x = builder.convolution(x, channels, 3, "depthwise", groups=channels)
    x = builder.node("GlobalAveragePool", [x], ["N", channels, 1, 1], "pool")
    return _dense(builder.finish(builder.gemm(builder.flatten(x), 3, "head")))


def switched_off(depth: int = 3) -> ir.Model:
    """A plain deep network of small convolutions whose biases lie far below zero."""
    builder = NetworkBuilder((4, 4, 4), "off")
    x = builder.input
    for number in range(depth):
        x = builder.activation(builder.convolution(x, 4, 3, f"layer_{number}"), "relu", f"activation_{number}")
    x = builder.node("GlobalAveragePool", [x], ["N", 4, 1, 1], "pool")
    model = _dense(builder.finish(builder.gemm(builder.flatten(x), 3, "head")))
    onnx_graph.set_weights(model, {f"layer_{number}.bias": np.full(4, -1e3, np.float32) for number in range(depth)})
    return model


def rnn(cell: str) -> ir.Model:
    """One recurrent layer that answers at every step."""
    builder = NetworkBuilder((5, 4), "rnn")
    x, _ = builder.recurrent(
        builder.transpose(builder.input, (1, 0, 2), "time_first"), cell, 8, "layer", every_step=True, last_step=False
    )
    if x is None:
        raise RuntimeError("every step was asked for")
    x = builder.matmul(builder.transpose(x, (1, 0, 2), "batch_first"), 3, "head")
    return _dense(builder.finish(builder.add(x, builder.parameter("head.bias", 3), "head.sum")))


def attention() -> ir.Model:
    """One head of attention over four tokens: query, key and value are projections by MatMul."""
    builder = NetworkBuilder((4, 8), "attention")
    query, key, value = (builder.matmul(builder.input, 8, name) for name in ("query", "key", "value"))
    scores = builder.node("MatMul", [query, builder.transpose(key, (0, 2, 1), "turned")], ["N", 4, 4], "scores")
    shares = builder.node("Softmax", [scores], ["N", 4, 4], "shares", [ir.AttrInt64("axis", -1)])
    mixed = builder.node("MatMul", [shares, value], ["N", 4, 8], "mixed")
    return _dense(builder.finish(builder.gemm(builder.flatten(mixed), 3, "head")))


NETWORKS: Mapping[str, tuple[Callable[[], ir.Model], tuple[int, ...], int]] = {
    "mlp": (mlp, (1, 4, 4), 0),
    "cnn": (cnn, (4, 4, 4), 0),
    "gru": (lambda: rnn("gru"), (5, 4), 5),
    "lstm": (lambda: rnn("lstm"), (5, 4), 5),
    "rnn": (lambda: rnn("rnn-tanh"), (5, 4), 5),
    "attention": (attention, (4, 8), 0),
}
"""Name → network, input shape, answers for each example (0: a single one)."""


def task_for(shape: tuple[int, ...], steps: int) -> Task:
    """48 examples of three noisy patterns, to be classified after each step or once."""
    rng = np.random.default_rng(5)
    patterns = rng.standard_normal((3, *shape)).astype(np.float32)

    def split(count: int) -> Split:
        y = rng.integers(0, 3, count)
        x = patterns[y] + rng.standard_normal((count, *shape)).astype(np.float32)
        return Split(x=x.astype(np.float32), y=np.repeat(y[:, None], steps, 1) if steps else y)

    signature = Signature(input_shape=shape, outputs=3, per_step=bool(steps))
    return Task(name="patterns", signature=signature, train=split(48), validation=split(24), test=split(24))


class MethodContract:
    """What every method must do; fixtures: `method` is one with its options, `network` a name of `NETWORKS`.

    A method that does not support a network must raise a `MethodError` before it trains; the other tests then skip.
    """

    def test_keeps_exactly_as_many_weights_as_asked(self, method: Method, network: str, tmp_path: Path) -> None:
        """Non-zeros are counted in the written file; biases and normalisation parameters are not masked."""
        model, task = _case(network)
        result = _train(method, model, task)
        if result is None:
            return
        trained = apply_result(model, result)
        onnx_graph.save(trained, tmp_path / "model.onnx")
        kept = masks(onnx_graph.load(tmp_path / "model.onnx"))
        total = sum(mask.size for mask in kept.values())
        assert sum(int(mask.sum()) for mask in kept.values()) == round(DENSITY * total)
        assert all(np.isfinite(array).all() for array in result.weights.values())
        assert 0 <= result.accuracy <= 1
        norms = [array for name, array in result.weights.items() if name.endswith((".scale", ".var"))]
        assert all((array != 0).all() for array in norms)

    def test_same_seed_same_network(self, method: Method, network: str) -> None:
        """The same seed gives the same result bit for bit, another seed gives another one."""
        model, task = _case(network)
        first, again, other = (_train(method, model, task, seed=seed) for seed in (3, 3, 4))
        if first is None or again is None or other is None:
            return
        assert all(first.weights[name].tobytes() == again.weights[name].tobytes() for name in first.weights)
        assert any((first.weights[name] != other.weights[name]).any() for name in first.weights)

    def test_does_not_change_the_model(self, method: Method, network: str) -> None:
        """The given model is not changed."""
        model, task = _case(network)
        before = {name: value.const_value.numpy().copy() for name, value in model.graph.initializers.items()}  # type: ignore[union-attr]
        _train(method, model, task)
        for name, value in model.graph.initializers.items():
            assert (value.const_value.numpy() == before[name]).all()  # type: ignore[union-attr]

    def test_every_network_of_a_population_keeps_its_own_count(self, method: Method, network: str) -> None:
        """Stacked or not, with networks of two widths and three densities together."""
        if network not in ("mlp", "cnn"):
            return
        small, large = (mlp(8), mlp(16)) if network == "mlp" else (cnn(8), cnn(12))
        task = _case(network)[1]
        densities = [0.4, 0.3, 0.4]
        try:
            results = train_population(
                [small, large, small], task, OPTIONS, seeds=[1, 2, 3], method=method, density=densities
            )
        except MethodError:
            return
        for model, share, result in zip([small, large, small], densities, results, strict=True):
            assert isinstance(result, TrainingResult)
            kept = masks(apply_result(model, result))
            assert sum(int(m.sum()) for m in kept.values()) == round(share * sum(m.size for m in kept.values()))

    def test_a_network_that_answers_every_example_alike_is_called_dead(self, method: Method, network: str) -> None:
        """A deep network whose rectifiers are off for every input, so that no gradient turns them on again."""
        if network != "cnn":
            return
        task = _case(network)[1]
        try:
            result = train(switched_off(), task, KEPT, method=method, density=DENSITY, seed=3)
        except MethodError:
            return
        assert result.dead.startswith("the network is dead: ")
        assert "\n" not in result.dead

    def test_refuses_fewer_weights_than_layers(self, method: Method, network: str) -> None:
        """The error comes before any training and names the density."""
        model, task = _case(network)
        try:
            train(model, task, OPTIONS, method=method, density=1e-3)
        except MethodError as error:
            assert "density" in str(error) or "weight" in str(error)  # noqa: PT017
        else:
            raise AssertionError("a network with fewer weights than layers was trained")


def _case(network: str) -> tuple[ir.Model, Task]:
    make, shape, steps = NETWORKS[network]
    return make(), task_for(shape, steps)


def _train(method: Method, model: ir.Model, task: Task, *, seed: int = 3) -> TrainingResult | None:
    """The result of a training; None if the method refuses it."""
    try:
        return train(model, task, OPTIONS, method=method, density=DENSITY, seed=seed)
    except MethodError:
        return None


def _dense(builder: NetworkBuilder) -> ir.Model:
    return builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})
