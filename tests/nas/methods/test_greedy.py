"""Greedy selection of units: worked numbers, the selectable units, and the remaining network."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor

from nas.errors import UsageError
from nas.tasks.task import Split, Task
from nas.training import train
from nas.training.device import arithmetic
from nas.training.loop import selection
from nas.training.loop.session import Session
from nas.training.masks.mean_field import MeanField
from nas.training.masks.own_network import OwnNetwork, own, some_examples
from nas.training.masks.selectable_units import selectable_units
from nas.training.methods import MethodError, create
from nas.training.methods.greedy_forward import GreedyForward, forward_selection
from nas.training.methods.greedy_imitation import GreedyImitation, local_imitation, taylor_imitation
from nas.training.methods.unit_selection import UnitSelection, mean_field, unit_counts
from nas.training.options import TrainingOptions
from nas.training.stack.stack import Member
from onnx_graph.weight import array_of, set_weights
from search_spaces.network_builder import NetworkBuilder
from search_spaces.signature import Signature


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks as small as these lose time to a second one."""
    with arithmetic(torch.device("cpu"), 1):
        yield


def field(contributions: list[list[float]], target: list[float], rest: float = 0.0) -> MeanField:
    """Units whose contributions at one example are these vectors; the loss is the squared distance to the target."""
    each, wanted = (
        torch.tensor(contributions, dtype=torch.float32)[:, None],
        torch.tensor([target], dtype=torch.float32),
    )
    return MeanField(each, torch.full_like(wanted, rest), wanted, lambda sums: (sums - wanted).square().sum((1, 2)))


def dense(builder: NetworkBuilder) -> ir.Model:
    """With random weights everywhere, biases included."""
    model = builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})
    rng = np.random.default_rng(0)
    values = {name: array_of(value) for name, value in model.graph.initializers.items()}
    floats = {name: array for name, array in values.items() if array.dtype == np.float32 and not name.endswith("var")}
    set_weights(model, {name: rng.standard_normal(array.shape).astype(np.float32) for name, array in floats.items()})
    return model


def perceptron(first: int = 8, second: int = 6, activation: str = "relu") -> ir.Model:
    builder = NetworkBuilder((1, 3, 3), "perceptron")
    x = builder.activation(
        builder.gemm(builder.flatten(builder.input), first, "hidden_1", alpha=0.5), activation, "act_1"
    )
    x = builder.activation(builder.gemm(x, second, "hidden_2", alpha=2.0), activation, "act_2")
    return dense(builder.finish(builder.gemm(x, 3, "head")))


def skip() -> ir.Model:
    """The first hidden layer is read twice; the input goes to the end as well."""
    builder = NetworkBuilder((1, 3, 3), "skip")
    flat = builder.flatten(builder.input)
    first = builder.activation(builder.gemm(flat, 5, "hidden_1"), "relu", "act_1")
    second = builder.activation(builder.gemm(first, 4, "hidden_2"), "relu", "act_2")
    ends = builder.add(builder.gemm(second, 3, "head"), builder.matmul(first, 3, "skip"), "sum_1")
    return dense(builder.finish(builder.add(ends, builder.matmul(flat, 3, "far"), "sum_2")))


def cnn() -> ir.Model:
    """Plain, grouped, strided, depthwise, pooled and flattened."""
    builder = NetworkBuilder((1, 6, 6), "cnn")
    x = builder.convolution(builder.input, 4, 3, "plain", bias=False)
    x = builder.activation(builder.batch_norm(x, "norm"), "relu", "act_1")
    x = builder.activation(builder.convolution(x, 6, 3, "grouped", groups=2, stride=2), "relu", "act_2")
    x = builder.convolution(x, 6, 3, "depthwise", groups=6)
    x = builder.pool(builder.activation(x, "relu", "act_3"), "MaxPool", 2, 1, "pool")
    return dense(builder.finish(builder.gemm(builder.flatten(x), 3, "head")))


def gru() -> ir.Model:
    builder = NetworkBuilder((5, 3), "gru")
    time_first = builder.transpose(builder.input, (1, 0, 2), "time")
    x, _ = builder.recurrent(time_first, "gru", 4, "layer", every_step=True, last_step=False)
    assert x is not None
    return dense(builder.finish(builder.matmul(builder.transpose(x, (1, 0, 2), "batch"), 3, "head")))


def projection() -> ir.Model:
    """A perceptron at each step of a sequence, with MatMul and added biases."""
    builder = NetworkBuilder((5, 4), "projection")
    x = builder.add(builder.matmul(builder.input, 7, "hidden"), builder.parameter("bias", 7), "sum")
    return dense(builder.finish(builder.matmul(builder.activation(x, "silu", "act"), 3, "head")))


def task(shape: tuple[int, ...], count: int = 60, steps: int = 0) -> Task:
    rng = np.random.default_rng(0)
    patterns, y = rng.standard_normal((3, *shape)), rng.integers(0, 3, count)
    x = (patterns[y] + 0.5 * rng.standard_normal((count, *shape))).astype(np.float32)
    split = Split(x=x, y=np.repeat(y[:, None], steps, 1) if steps else y)
    signature = Signature(input_shape=shape, outputs=3)
    return Task(name="patterns", signature=signature, train=split, validation=split, test=split)


def session(models: Sequence[ir.Model], keep: Sequence[int], data: Task) -> Session:
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    return Session(members, data, TrainingOptions(epochs=2, init="keep"), torch.device("cpu"), keep=keep)


# --- choosing ---------------------------------------------------------------------------------------------------------


def test_forward_selection_by_hand() -> None:
    # Contributions 1, 4, 1 of which the sum is 6. One unit times 3: 3, 12, 3 → squared errors 9, 36, 9: the first.
    # Two times 3/2: with the first again 3, with the second 7.5, with the third 3 → 9, 2.25, 9: the second.
    choice = forward_selection(field([[1], [4], [1]], [6]), 2)
    assert choice.coefficients.tolist() == [1.5, 1.5, 0]
    assert (choice.units, choice.errors) == ([1, 2], [9, 2.25])


def test_forward_selection_may_choose_a_unit_again() -> None:
    # Contributions 2, 1, 4 and 1, target 9: times 4 they are 8, 4, 16, 4: the first. Two times 2: 8, 6, 12, 6: the first again;
    # three times 4/3: 8, 20/3, 10 2/3, 20/3: again; four times 1: 8, 7, 10, 7: the first once more, tied with the third;
    # five times 4/5: with the third (8 + 4)·4/5 = 9.6 is nearer than (8 + 2)·4/5 = 8.
    choice = forward_selection(field([[2], [1], [4], [1]], [9]), 2)
    assert choice.units == [1, 1, 1, 1, 2]
    assert list(choice.errors) == pytest.approx([1, 1, 1, 1, 0.36], rel=1e-5)
    assert choice.coefficients.tolist() == pytest.approx([4 * 4 / 5, 0, 4 / 5, 0])


def test_forward_selection_follows_the_loss() -> None:
    """Another target, other units."""
    contributions = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    assert forward_selection(field(contributions, [3, 0]), 1).coefficients.tolist() == [3, 0, 0]
    assert forward_selection(field(contributions, [0, 3]), 1).coefficients.tolist() == [0, 3, 0]
    assert forward_selection(field(contributions, [3, 3]), 1).coefficients.tolist() == [0, 0, 3]


def test_local_imitation_by_hand() -> None:
    # Contributions (2, 0) and (0, 1), target (2, 1). γ·2·(2, 0) comes nearest with γ = ½ and leaves a mean square of ½; then
    # towards 2·(0, 1): the way is (−2, 2), the rest (0, 1), γ = 2/8: ¾·(2, 0) + ¼·(0, 2) = (1½, ½) leaves (½, ½).
    choice = local_imitation(field([[2, 0], [0, 1]], [2, 1]), 2)
    assert choice.coefficients.tolist() == pytest.approx([0.75, 0.5])
    assert choice.units == [1, 2]
    assert list(choice.errors) == pytest.approx([0.5, 0.25])


def test_local_imitation_ignores_what_is_added_besides() -> None:
    shifted = local_imitation(field([[2, 0], [0, 1]], [7, 6], rest=5), 2)
    assert shifted.coefficients.tolist() == pytest.approx([0.75, 0.5])


def test_local_imitation_never_gets_worse_while_it_may_choose_freely() -> None:
    generator = torch.Generator().manual_seed(0)
    each = torch.randn(12, 4, 3, generator=generator)
    choice = local_imitation(MeanField(each, torch.zeros(4, 3), each.sum(0), lambda sums: sums.sum((1, 2))), 8)
    free = choice.errors[:24]
    assert all(after <= before + 1e-6 for before, after in pairwise(free))
    expected = torch.einsum("u,unk->nk", choice.coefficients, each) - each.sum(0)
    assert choice.errors[-1] == pytest.approx(float(expected.square().mean()), rel=1e-4)


def test_taylor_imitation_by_hand() -> None:
    # Loss (z − 6)², z = 0: slope −12, towards 3·(1, 4, 1): the second, 12. Tried are γ = 1, ½, …: ½ gives z = 6.
    choice = taylor_imitation(field([[1], [4], [1]], [6]), 1)
    assert choice.coefficients.tolist() == [0, 1.5, 0]
    assert choice.errors == [0]


def test_units_that_give_nothing_are_not_chosen() -> None:
    given = field([[0, 0], [1, 0], [0, 1]], [1, 1])
    for choose in (forward_selection, local_imitation, taylor_imitation):
        coefficients = choose(given, 2).coefficients
        assert (coefficients > 0).tolist() == [False, True, True]


def test_the_better_of_both_is_taken() -> None:
    """The loss wants the second unit alone, the trained sum both."""
    each = torch.tensor([[[3.0, 0.0]], [[0.0, 1.0]]])
    wanted = torch.tensor([[0.0, 2.0]])
    given = MeanField(each, torch.zeros(1, 2), each.sum(0), lambda sums: (sums - wanted).square().sum((1, 2)))
    assert (local_imitation(given, 1).coefficients > 0).tolist() == [True, False]
    assert GreedyImitation().choose(given, 1).coefficients.tolist() == [0, 2]


# --- units ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (perceptron, [("hidden_1.weight", "hidden_2.weight"), ("hidden_2.weight", "head.weight")]),
        (skip, [("hidden_2.weight", "head.weight")]),
        (
            cnn,
            [
                ("plain.weight", "grouped.weight"),
                ("grouped.weight", "depthwise.weight"),
                ("depthwise.weight", "head.weight"),
            ],
        ),
        (projection, [("hidden.weight", "head.weight")]),
        (gru, []),
    ],
)
def test_units_that_one_weight_reads(model: Callable[[], ir.Model], expected: list[tuple[str, str]]) -> None:
    assert [(units.layer.name, units.reader.name) for units in selectable_units(model())] == expected


@pytest.mark.parametrize(
    ("model", "shape"), [(perceptron, (1, 3, 3)), (skip, (1, 3, 3)), (cnn, (1, 6, 6)), (projection, (5, 4))]
)
def test_contributions_are_what_the_scaled_weight_adds_up(
    model: Callable[[], ir.Model], shape: tuple[int, ...]
) -> None:
    """For any coefficients, the sum and the loss of the network after it are the same as in the network with a scaled weight."""
    data = task(shape, steps=5 if model is projection else 0)
    given = session([model()], [20], data)
    network = OwnNetwork.of(given, 0)
    x, y = some_examples(given, 17)
    for units in selectable_units(network.model):
        taken = mean_field(given, network, network, units, examples=17)
        assert taken.contributions.shape[:2] == (units.count, 17)
        assert torch.allclose(taken.output(torch.ones(units.count)), taken.target, atol=1e-4)
        coefficients = torch.rand(units.count, generator=torch.Generator().manual_seed(1))
        scaled = network.replaced(units.reader, units.scale(network.weight(units.reader), coefficients))
        output = scaled.values([units.reader.output], x)[units.reader.output]
        assert torch.allclose(taken.output(coefficients), output, atol=1e-4)
        logits = scaled.values([scaled.model.graph.outputs[0].name or ""], x)
        targets = y.flatten()
        expected = torch.nn.functional.cross_entropy(next(iter(logits.values())).reshape(len(targets), 3), targets)
        assert taken.loss_of(coefficients) == pytest.approx(float(expected), rel=1e-4)


def test_losses_of_many_candidates_are_those_one_by_one() -> None:
    given = session([skip()], [20], task((1, 3, 3)))
    network = OwnNetwork.of(given, 0)
    taken = mean_field(given, network, network, selectable_units(network.model)[0], examples=9)
    losses = taken.losses(taken.rest, 2.0)
    for unit in range(4):
        assert float(losses[unit]) == pytest.approx(taken.loss_of(2.0 * torch.eye(4)[unit]), rel=1e-4)


def test_a_wide_layer_is_compared_on_fewer_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.training.methods.unit_selection.ENTRIES", 8 * 6 * 5)
    given = session([perceptron()], [20], task((1, 3, 3)))
    network = OwnNetwork.of(given, 0)
    assert mean_field(given, network, network, selectable_units(network.model)[0], 40).contributions.shape == (8, 5, 6)


@pytest.mark.parametrize(
    ("wanted", "expected"), [(1, [1, 1]), (13, [1, 1]), (14, [2, 2]), (105, [7, 6]), (500, [8, 6])]
)
def test_every_layer_keeps_the_same_share_of_its_units(wanted: float, expected: list[int]) -> None:
    # t/8 of 8 and of 6 units: 1, 1 → 9 + 1 + 3 = 13 weights; 2, 2 → 18 + 4 + 6; 6, 5 → 54 + 30 + 15 = 99; 7, 6 → 63 + 42 + 18
    model = perceptron()
    assert unit_counts(model, selectable_units(model), wanted) == expected


# --- networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [GreedyForward(fill=1.0), GreedyImitation(fill=1.0)])
def test_weights_of_other_units_go(method: UnitSelection) -> None:
    # 3 of 8 and 3 of 6 units: 27 + 9 + 9 = 45 weights
    given = session([perceptron()], [45], task((1, 3, 3)))
    method.reduce(given)
    first, second, head = (mask[0] for mask in given.masks().values())
    assert selection.count(given.masks()).tolist() == [45]
    assert sorted(first.sum(1).tolist()) == [0] * 5 + [9] * 3
    assert (second.any(0) == first.any(1)).all()
    assert (head.any(0) == second.any(1)).all()


@pytest.mark.parametrize("method", [GreedyForward(), GreedyImitation()])
def test_chosen_units_stand_for_all(method: UnitSelection) -> None:
    """Of ten units that are two, five times each, two are as good as all."""
    builder = NetworkBuilder((1, 3, 3), "copies")
    x = builder.activation(builder.gemm(builder.flatten(builder.input), 10, "hidden"), "relu", "act")
    model = dense(builder.finish(builder.gemm(x, 3, "head")))
    hidden, head = (
        np.array(array_of(model.graph.initializers[name]), np.float32) for name in ("hidden.weight", "head.weight")
    )
    hidden[2::2], hidden[3::2], head[:, 2::2], head[:, 3::2] = hidden[0], hidden[1], head[:, :1], head[:, 1:2]
    set_weights(model, {"hidden.weight": hidden, "head.weight": head, "hidden.bias": np.zeros(10, np.float32)})
    given = session([model], [24], task((1, 3, 3)))
    network = OwnNetwork.of(given, 0)
    taken = mean_field(given, network, network, selectable_units(network.model)[0], 60)
    for count in (2, 4):
        coefficients = method.choose(taken, count).coefficients
        assert int((coefficients > 0).sum()) == count
    assert taken.loss_of(coefficients) <= 1.05 * taken.loss_of(torch.ones(10)) + 0.05


def test_networks_of_a_padded_stack_are_reduced_as_alone() -> None:
    data, method = task((1, 3, 3)), GreedyForward(fill=0.6)
    models, keep = [perceptron(8, 6), perceptron(5, 6), perceptron(8, 4)], [40, 20, 30]
    stacked = session(models, keep, data)
    method.reduce(stacked)
    for row, (model, number) in enumerate(zip(models, keep, strict=True)):
        alone = session([model], [number], data)
        method.reduce(alone)
        mine, single = own(stacked, stacked.masks(), row), own(alone, alone.masks(), 0)
        assert all((mine[name] == single[name]).all() for name in single)
        values, expected = own(stacked, stacked.weights(), row), own(alone, alone.weights(), 0)
        assert all(torch.allclose(values[name], expected[name], atol=1e-4) for name in expected)


@pytest.mark.parametrize("name", ["greedy-forward", "greedy-imitation"])
@pytest.mark.parametrize(("model", "shape"), [(perceptron, (1, 3, 3)), (skip, (1, 3, 3)), (cnn, (1, 6, 6))])
def test_exact_counts(name: str, model: Callable[[], ir.Model], shape: tuple[int, ...]) -> None:
    given, options = model(), TrainingOptions(epochs=2)
    total = sum(layer.weight.shape[0] * int(np.prod(layer.weight.shape[1:])) for layer in OwnNetwork(given).layers)
    for density in (0.1, 0.5, 1.0):
        result = train(given, task(shape), options, method=create(name), density=density)
        kept = sum(int((result.weights[layer.name] != 0).sum()) for layer in OwnNetwork(given).layers)
        assert kept == round(density * total)


def test_other_units_come_back_where_the_own_mask_leaves_too_few_weights() -> None:
    """Every second weight of the model is zero; all remaining weights are to be kept."""
    model = perceptron()
    for layer in OwnNetwork(model).layers:
        array = np.array(array_of(model.graph.initializers[layer.name]), np.float32)
        array.reshape(-1)[::2] = 0
        set_weights(model, {layer.name: array})
    held = sum(int((array_of(model.graph.initializers[layer.name]) != 0).sum()) for layer in OwnNetwork(model).layers)
    given = session([model], [held], task((1, 3, 3)))
    before = given.masks()
    GreedyForward().run(given)
    assert all((given.masks()[name] == before[name]).all() for name in before)


@pytest.mark.parametrize("method", [GreedyForward(), GreedyImitation()])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_a_network_that_diverged_holds_up_nobody(method: UnitSelection, value: float) -> None:
    broken = perceptron()
    set_weights(broken, {"hidden_1.weight": np.full((8, 9), value, np.float32)})
    data = task((1, 3, 3))
    both, alone = session([perceptron(), broken], [45, 45], data), session([perceptron()], [45], data)
    method.reduce(both)
    method.reduce(alone)
    assert (selection.count(both.masks()) >= 45).all()
    assert all((mask[0] == alone.masks()[name][0]).all() for name, mask in both.masks().items())


def test_a_network_without_such_units_is_refused() -> None:
    with pytest.raises(MethodError, match="no hidden units that one later weight reads"):
        train(gru(), task((5, 3), steps=5), method=create("greedy-imitation"), density=0.5)


@pytest.mark.parametrize(
    "options", [{"criterion": "size"}, {"fill": 0.0}, {"fill": 1.5}, {"retrain": 0.0}, {"examples": 0}, {"rounds": 0}]
)
def test_refuses_options_that_mean_nothing(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(options.values())))):
        GreedyForward(**options)  # type: ignore[arg-type]


def test_loss_falls_as_units_are_added() -> None:
    """The curve of the benchmark, on a trained layer of 40 units."""
    builder = NetworkBuilder((1, 3, 3), "wide")
    x = builder.activation(builder.gemm(builder.flatten(builder.input), 40, "hidden"), "relu", "act")
    members = [Member.of(dense(builder.finish(builder.gemm(x, 3, "head"))), 0)]
    data = task((1, 3, 3))
    given = Session(members, data, TrainingOptions(epochs=10), torch.device("cpu"), keep=[50])
    given.fit()
    network = OwnNetwork.of(given, 0)
    taken = mean_field(given, network, network, selectable_units(network.model)[0], 60)

    def last(choice: Callable[[MeanField, int], object], count: int) -> Tensor:
        return choice(taken, count).errors[-1]  # type: ignore[attr-defined,no-any-return]

    for choose in (forward_selection, local_imitation, taylor_imitation):
        assert last(choose, 20) < 0.7 * last(choose, 5) < 0.7 * last(choose, 1)
