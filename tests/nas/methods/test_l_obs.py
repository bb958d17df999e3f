"""Layer-wise optimal brain surgeon: worked numbers, and outputs that stay as they are."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch.nn import functional

from nas.tasks.task import Split, Task
from nas.training.device import arithmetic
from nas.training.loop import selection
from nas.training.loop.session import Session
from nas.training.masks.input_moments import input_moments
from nas.training.masks.own_network import OwnNetwork, own, place
from nas.training.masks.surgery import elimination, refit
from nas.training.methods import MethodError, create
from nas.training.methods.l_obs import LayerwiseSurgeon
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


def moments(size: int, seed: int = 0) -> torch.Tensor:
    root = torch.randn(size, 2 * size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.t() / size


def dense(builder: NetworkBuilder) -> ir.Model:
    """With random weights everywhere, biases included."""
    model = builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})
    rng = np.random.default_rng(0)
    values = {name: array_of(value) for name, value in model.graph.initializers.items()}
    floats = {name: array for name, array in values.items() if array.dtype == np.float32 and not name.endswith("var")}
    set_weights(model, {name: rng.standard_normal(array.shape).astype(np.float32) for name, array in floats.items()})
    return model


def perceptron(width: int = 4, *, inputs: int = 6) -> ir.Model:
    builder = NetworkBuilder((inputs,), "perceptron")
    x = builder.activation(builder.gemm(builder.input, width, "hidden"), "relu", "activation")
    return dense(builder.finish(builder.gemm(x, 3, "head")))


def task(x: np.ndarray, outputs: int = 3) -> Task:
    split = Split(x=x.astype(np.float32), y=np.arange(len(x)) % outputs)
    signature = Signature(input_shape=x.shape[1:], outputs=outputs)
    return Task(name="noise", signature=signature, train=split, validation=split, test=split)


def session(models: Sequence[ir.Model], keep: Sequence[int], data: Task) -> Session:
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    options = TrainingOptions(epochs=1, init="keep")
    return Session(members, data, options, torch.device("cpu"), keep=keep)


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# --- one row ------------------------------------------------------------------------------------------------------------


def test_cost_and_compensation_by_hand() -> None:
    # H = [2 1; 1 2], H⁻¹ = [2 −1; −1 2] / 3. w = (1, ½): costs ½·w² / (2/3) = ¾ and 3/16: the second goes first. Then
    # δw = −½ / (2/3) · (−1/3, 2/3) = (¼, −½): the first becomes 1¼, and its cost, alone, ½·(5/4)²·2 = 25/16.
    h = torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    row, both = torch.tensor([[1.0, 0.5]], dtype=torch.float64), torch.tensor([[True, True]])
    assert elimination(row, h, both, both).tolist() == [pytest.approx([25 / 16, 3 / 16])]
    assert refit(row, h, both).tolist() == [pytest.approx([1, 0.5])]
    assert refit(row, h, torch.tensor([[True, False]])).tolist() == [pytest.approx([1.25, 0])]


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_elimination_is_the_formula_of_the_paper_one_weight_after_the_other(size: int) -> None:
    h, row = moments(size), torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    left, weight, highest, expected = list(range(size)), row.clone(), 0.0, torch.zeros(size, dtype=torch.float64)
    while left:
        inverse = torch.linalg.inv(h[left][:, left])
        costs = 0.5 * weight[left] ** 2 / inverse.diagonal()
        at = int(costs.argmin())
        highest = max(highest, float(costs[at]))
        expected[left[at]] = highest
        weight[left] -= weight[left[at]].clone() / inverse[at, at] * inverse[:, at]
        support = torch.tensor([[index in left and index != left[at] for index in range(size)]])
        left.pop(at)
        assert refit(row[None], h, support)[0].tolist() == pytest.approx((weight * support[0]).tolist(), abs=1e-9)
    every = torch.ones(1, size, dtype=torch.bool)
    assert elimination(row[None], h, every, every)[0].tolist() == pytest.approx(expected.tolist())


def test_of_two_copies_one_stays() -> None:
    """Each can be removed for free while the other exists, so costs must be computed one after the other."""
    h = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64) + 1e-9 * torch.eye(3)
    row, every = torch.tensor([[1.0, 1.0, 0.5]], dtype=torch.float64), torch.ones(1, 3, dtype=torch.bool)
    # one copy costs nothing, the third ½·.5² = .125, the other copy, now 2, ½·2² = 2
    saliencies = elimination(row, h, every, every)[0]
    assert sorted(saliencies[:2].tolist()) == [pytest.approx(0, abs=1e-6), pytest.approx(2)]
    assert float(saliencies[2]) == pytest.approx(0.125)


def test_what_may_not_go_stays_and_takes_over() -> None:
    h = torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    row, both = torch.tensor([[1.0, 0.5]], dtype=torch.float64), torch.tensor([[True, True]])
    assert elimination(row, h, both, torch.tensor([[True, False]])).tolist() == [pytest.approx([3 / 4, 0])]


def test_rows_with_different_supports_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(5)
    rows = torch.randn(7, 6, dtype=torch.float64, generator=generator)
    support = torch.rand(7, 6, generator=generator) < 0.6
    support[0], support[1] = False, True
    fitted, saliencies = refit(rows, moments(6), support), elimination(rows, moments(6), support, support)
    monkeypatch.setattr("nas.training.masks.surgery.ENTRIES", 1)
    assert torch.allclose(refit(rows, moments(6), support), fitted)
    assert torch.allclose(elimination(rows, moments(6), support, support), saliencies)
    assert not fitted[~support].any()
    assert not saliencies[~support].any()
    assert (saliencies[support] > 0).all()


# --- inputs -------------------------------------------------------------------------------------------------------------


def test_moments_of_a_dense_layer_and_its_bias() -> None:
    # Two examples (1, 2) and (3, 0): mean of x xᵀ with a last 1
    builder = NetworkBuilder((2,), "linear")
    network = OwnNetwork(dense(builder.finish(builder.gemm(builder.input, 2, "head"))))
    found = input_moments(network, torch.tensor([[1.0, 2.0], [3.0, 0.0]]))["head.weight"]
    assert found.tolist() == [[[5, 1, 2], [1, 2, 1], [2, 1, 1]]]


def test_moments_of_a_scaled_layer_have_the_bias_in_its_units() -> None:
    """0.5·x·W + b is 0.5·(x·W + 2·b)."""
    builder = NetworkBuilder((1,), "linear")
    network = OwnNetwork(dense(builder.finish(builder.gemm(builder.input, 2, "head", alpha=0.5))))
    assert input_moments(network, torch.tensor([[3.0]]))["head.weight"].tolist() == [[[9, 6], [6, 4]]]


def test_moments_of_a_grouped_strided_convolution_are_those_of_its_patches() -> None:
    builder = NetworkBuilder((4, 5, 5), "cnn")
    x = builder.convolution(builder.input, 6, 3, "conv", stride=2, groups=2, bias=False)
    network = OwnNetwork(dense(builder.finish(builder.gemm(builder.flatten(x), 3, "head"))))
    images = torch.from_numpy(noise(70, 4, 5, 5)).float()
    found = input_moments(network, images)["conv.weight"]
    patches = functional.unfold(images, 3, stride=2, padding=1).double()
    for group, part in enumerate(torch.split(patches, 18, dim=1)):
        rows = part.transpose(1, 2).reshape(-1, 18)
        assert torch.allclose(found[group], rows.t() @ rows / len(rows))


def test_recurrent_matrices_have_no_inputs_to_measure() -> None:
    builder = NetworkBuilder((5, 3), "rnn")
    x, _ = builder.recurrent(
        builder.transpose(builder.input, (1, 0, 2), "time"), "gru", 4, "layer", every_step=True, last_step=False
    )
    assert x is not None
    model = dense(builder.finish(builder.matmul(builder.transpose(x, (1, 0, 2), "batch"), 3, "head")))
    steps = torch.from_numpy(noise(8, 5, 3)).float()
    found = input_moments(OwnNetwork(model), steps)
    into, hidden, head = found.values()
    flat = steps.reshape(-1, 3).double()
    assert torch.allclose(into[0], flat.t() @ flat / 40)
    assert hidden.tolist() == [np.eye(4).tolist()]
    assert head.shape == (1, 4, 4)


# --- networks -----------------------------------------------------------------------------------------------------------


def test_a_copy_of_an_input_takes_over() -> None:
    """Inputs 0 and 2 are the same, input 1 is always 1: two of three weights can go without any change of the output."""
    x = noise(50, 3)
    x[:, 2], x[:, 1] = x[:, 0], 1
    builder = NetworkBuilder((3,), "linear")
    model = builder.finish(builder.gemm(builder.input, 2, "head")).model({"head.weight": np.ones((2, 3), np.bool_)})
    weight, bias = [[1.0, 4.0, 2.0], [3.0, 5.0, -1.0]], [0.5, -0.5]
    set_weights(model, {"head.weight": np.array(weight, np.float32), "head.bias": np.array(bias, np.float32)})
    given = session([model, model], [2, 2], task(x, 2))
    before = given.stack.predict(given.train.x)
    LayerwiseSurgeon(damping=1e-6).prune(given)
    assert selection.count(given.masks()).tolist() == [2, 2]
    # 1 + 2 = 3 and 3 − 1 = 2 stand on one of the copies; the bias has .5 + 4 and −.5 + 5.
    assert given.weights()["head.weight"][0].sum(1).tolist() == pytest.approx([3, 2], abs=1e-3)
    assert given.stack.parameters["head.bias"][0].tolist() == pytest.approx([4.5, 4.5], abs=1e-3)
    assert torch.allclose(given.stack.predict(given.train.x), before, atol=1e-3)


def test_compensation_changes_the_output_less_than_dropping() -> None:
    model, data = perceptron(12), task(noise(200, 6) @ noise(6, 6, seed=2))
    given = session([model], [60], data)
    before = given.stack.predict(given.train.x)
    LayerwiseSurgeon().prune(given)
    surgeon = (given.stack.predict(given.train.x) - before).square().mean()
    dropped = session([model], [60], data)
    dropped.set_masks(given.masks())
    assert surgeon < 0.5 * (dropped.stack.predict(given.train.x) - before).square().mean()


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_networks_of_a_padded_stack_are_pruned_as_alone(scope: str) -> None:
    data = task(noise(80, 6))
    method = create("l-obs", {"scope": scope})
    assert isinstance(method, LayerwiseSurgeon)
    models, keep = [perceptron(4), perceptron(7), perceptron(4)], [12, 30, 20]
    stacked = session(models, keep, data)
    method.prune(stacked)
    assert selection.count(stacked.masks()).tolist() == keep
    for row, (model, number) in enumerate(zip(models, keep, strict=True)):
        alone = session([model], [number], data)
        method.prune(alone)
        mine, single = own(stacked, stacked.masks(), row), own(alone, alone.masks(), 0)
        assert all((mine[name] == single[name]).all() for name in single)
        values, expected = own(stacked, stacked.weights(), row), own(alone, alone.weights(), 0)
        assert all(torch.allclose(values[name], expected[name], atol=1e-4) for name in expected)


def test_class_uniform_gives_each_layer_its_share() -> None:
    given = session([perceptron()], [18], task(noise(80, 6)))
    LayerwiseSurgeon(scope="layer").prune(given)
    assert {name: int(mask.sum()) for name, mask in given.masks().items()} == {"hidden.weight": 12, "head.weight": 6}


def test_own_zeros_stay_zero() -> None:
    model = perceptron()
    weight = np.array(array_of(model.graph.initializers["hidden.weight"]), np.float32)
    weight[:, 2] = 0
    set_weights(model, {"hidden.weight": weight})
    given = session([model], [20], task(noise(80, 6)))
    LayerwiseSurgeon().run(given)
    assert not given.weights()["hidden.weight"][0, :, 2].any()
    assert selection.count(given.masks()).tolist() == [20]
    assert len(given.histories[0].losses) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_a_network_that_diverged_holds_up_nobody(value: float) -> None:
    broken = perceptron()
    set_weights(broken, {"hidden.weight": np.full((4, 6), value, np.float32)})
    data = task(noise(80, 6))
    both, alone = session([perceptron(), broken], [18, 18], data), session([perceptron()], [18], data)
    LayerwiseSurgeon().prune(both)
    LayerwiseSurgeon().prune(alone)
    assert selection.count(both.masks()).tolist() == [18, 18]
    assert all((mask[0] == alone.masks()[name][0]).all() for name, mask in both.masks().items())


def test_place_is_the_inverse_of_own() -> None:
    given = session([perceptron(4), perceptron(7)], [5, 5], task(noise(10, 6)))
    weights = given.weights()
    again = place(given, [own(given, weights, row) for row in range(2)])
    assert all((again[name] == weights[name]).all() for name in weights)
    assert own(given, weights, 0)["hidden.weight"].shape == (4, 6)


@pytest.mark.parametrize("options", [{"scope": "row"}, {"damping": 0.0}, {"examples": 0}])
def test_refuses_options_that_mean_nothing(options: dict[str, object]) -> None:
    with pytest.raises(MethodError, match=str(next(iter(options.values())))):
        LayerwiseSurgeon(**options)  # type: ignore[arg-type]
