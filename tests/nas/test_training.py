"""Training of one network: initial values, masks, determinism, schedules, errors."""

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from nas.errors import TrainingError, UsageError
from nas.tasks.task import Split, Task
from nas.training import TrainingOptions, apply_result, evaluate, train
from nas.training.loop.batches import bounds, order
from nas.training.loop.optimizer import Optimizer, clip, learning_rate
from nas.training.stack.initialisation import initial_values
from onnx_graph.weight import masks
from search_spaces.signature import Signature

MLP = """
<ir_version: 10, opset_import: ["": 17]>
mlp (float[N, 6] x) => (float[N, 3] y)
{
    h = Gemm <transB = 1> (x, w1, b1)
    a = Relu (h)
    y = Gemm <transB = 1> (a, w2, b2)
}
"""


def model_of(text: str, **initializers: np.ndarray) -> ir.Model:
    """A model from ONNX text that reads the initializers without declaring them."""
    proto = onnx.parser.parse_model(text)
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in initializers.items())
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def mlp(seed: int = 0, density: float = 0.5) -> ir.Model:
    """6 inputs, 8 hidden units, 3 outputs; random masks."""
    rng = np.random.default_rng(seed)
    kept = {"w1": (8, 6), "w2": (3, 8)}
    weights = {name: (rng.random(shape) < density).astype(np.float32) for name, shape in kept.items()}
    return model_of(MLP, **weights, b1=np.zeros(8, np.float32), b2=np.zeros(3, np.float32))


def blobs(count: int = 90, seed: int = 0) -> Split:
    """Three clusters in six dimensions."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    centres = np.random.default_rng(99).normal(size=(3, 6)) * 2
    return Split(x=(centres[y] + rng.normal(size=(count, 6))).astype(np.float32), y=y.astype(np.int64))


@pytest.fixture(scope="module")
def task() -> Task:
    signature = Signature(input_shape=(6,), outputs=3)
    return Task(name="blobs", signature=signature, train=blobs(150), validation=blobs(60, 1), test=blobs(60, 2))


def test_training_learns_and_keeps_masked_weights_exactly_zero(task: Task) -> None:
    model = mlp()
    result = train(model, task, TrainingOptions(epochs=15, learning_rate=0.02), seed=3)
    assert result.accuracy > 0.9
    assert result.losses[-1] < result.losses[0] / 2
    for name, mask in masks(model).items():
        assert np.array_equal(result.weights[name] != 0, mask)


@pytest.mark.parametrize("options", [
    TrainingOptions(epochs=3, weight_decay=0.1),
    TrainingOptions(epochs=3, optimizer="sgd", learning_rate=0.1, weight_decay=0.01),
])  # fmt: skip
def test_weight_decay_and_momentum_leave_masked_weights_at_zero(task: Task, options: TrainingOptions) -> None:
    model = mlp(1, density=0.3)
    result = train(model, task, options, seed=0)
    for name, mask in masks(model).items():
        assert not result.weights[name][~mask].any()
        assert result.weights[name][mask].all()


def test_weight_decay_shrinks_weights_and_not_biases(task: Task) -> None:
    free, decayed = (train(mlp(), task, TrainingOptions(epochs=8, weight_decay=decay), seed=0) for decay in (0.0, 40.0))
    assert np.abs(decayed.weights["w1"]).sum() < 0.5 * np.abs(free.weights["w1"]).sum()
    assert np.abs(decayed.weights["b1"]).sum() > 0.5 * np.abs(free.weights["b1"]).sum()


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(task: Task) -> None:
    model, options = mlp(), TrainingOptions(epochs=3)
    first, second, other = (train(model, task, options, seed=seed) for seed in (5, 5, 6))
    for name in first.weights:
        assert first.weights[name].tobytes() == second.weights[name].tobytes()
    assert first.losses == second.losses
    assert not np.array_equal(first.weights["w1"], other.weights["w1"])


def test_the_model_is_left_alone_and_the_result_goes_into_a_copy(task: Task) -> None:
    model = mlp()
    before = {name: value.const_value.numpy().copy() for name, value in model.graph.initializers.items()}
    result = train(model, task, TrainingOptions(epochs=2), seed=0)
    trained = apply_result(model, result)
    for name, array in before.items():
        assert np.array_equal(model.graph.initializers[name].const_value.numpy(), array)
        assert np.array_equal(trained.graph.initializers[name].const_value.numpy(), result.weights[name])
    assert evaluate(trained, task, task.validation) == result.accuracy
    assert {k: v.tolist() for k, v in masks(trained).items()} == {k: v.tolist() for k, v in masks(model).items()}


def test_keep_starts_from_the_weights_of_the_model(task: Task) -> None:
    options = TrainingOptions(epochs=1, learning_rate=1e-12, init="keep")
    result = train(mlp(), task, options, seed=0)
    kept = masks(mlp())["w1"]
    assert np.allclose(result.weights["w1"], kept.astype(np.float32), atol=1e-6)


def test_patience_stops_early_and_gives_back_the_best_epoch(task: Task) -> None:
    options = TrainingOptions(epochs=60, learning_rate=0.3, schedule="constant", patience=3)
    result = train(mlp(), task, options, seed=1)
    best = result.accuracies.index(max(result.accuracies))
    assert len(result.accuracies) == best + 1 + 3 < 60
    assert result.accuracy == max(result.accuracies)
    assert evaluate(apply_result(mlp(), result), task, task.validation) == result.accuracy


def test_without_patience_the_last_epoch_counts(task: Task) -> None:
    heard: list[tuple[int, float, float]] = []
    result = train(mlp(), task, TrainingOptions(epochs=4), seed=1, progress=lambda *epoch: heard.append(epoch))
    assert result.accuracy == result.accuracies[-1]
    assert heard == [(i, result.losses[i], result.accuracies[i]) for i in range(4)]


def test_divergence_is_an_error_that_names_the_epoch_and_the_remedy(task: Task) -> None:
    with pytest.raises(TrainingError, match=r"epoch 2 is not finite; lower the learning rate \(now 1e\+06\)"):
        train(mlp(), task, TrainingOptions(epochs=3, learning_rate=1e6, optimizer="sgd"), seed=0)


def test_an_unknown_device_names_those_there_are(task: Task) -> None:
    with pytest.raises(UsageError, match="'tpu' is not available here; available: cpu"):
        train(mlp(), task, device="tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is available here")
def test_cuda_without_cuda_is_a_usage_error(task: Task) -> None:
    with pytest.raises(UsageError, match="'cuda' is not available here; available: cpu"):
        evaluate(mlp(), task, task.test, device="cuda")


@pytest.mark.parametrize(("shape", "outputs", "message"), [
    ((7,), 3, r"input 'x' has shape .* needs \(N, …, 7\)"),
    ((6,), 4, r"output 'y' has shape .* needs \(N, …, 4\)"),
])  # fmt: skip
def test_a_model_that_does_not_fit_the_task_is_a_usage_error(
    task: Task, shape: tuple[int, ...], outputs: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train(mlp(), replace(task, signature=Signature(input_shape=shape, outputs=outputs)))


def test_dead_units_are_reported(task: Task) -> None:
    model = mlp(density=1.0)
    weights = {name: value.const_value.numpy().copy() for name, value in model.graph.initializers.items()}
    weights["w1"][2] = 0  # no input reaches unit 2
    weights["w2"][:, 5] = 0  # unit 5 reaches no output
    assert train(model_of(MLP, **weights), task, TrainingOptions(epochs=1)).dead_units == 2


def test_threads_are_restored_after_training(task: Task) -> None:
    before = torch.get_num_threads()
    train(mlp(), task, TrainingOptions(epochs=1))
    assert torch.get_num_threads() == before


# --- initial values ------------------------------------------------------------------------------------------------


def test_initial_spread_follows_the_kept_inputs_of_each_unit() -> None:
    mask = np.zeros((400, 6), np.float32)
    mask[:200, :1] = 1  # one input: standard deviation sqrt(2 / 1), a rectifier follows
    mask[200:, :4] = 1  # four inputs: sqrt(2 / 4)
    ones = np.ones((3, 400), np.float32)
    values = initial_values(model_of(MLP, w1=mask, w2=ones, b1=np.ones(400, np.float32), b2=np.ones(3, np.float32)), 0)
    assert np.std(values["w1"][:200, 0]) == pytest.approx(2**0.5, rel=0.15)
    assert np.std(values["w1"][200:, :4]) == pytest.approx(0.5**0.5, rel=0.15)
    assert np.std(values["w2"]) == pytest.approx(1 / 20, rel=0.15)  # 400 inputs, nothing follows: gain 1
    assert not values["b1"].any()
    assert not values["b2"].any()


def test_kernel_positions_count_as_inputs() -> None:
    text = """
    <ir_version: 10, opset_import: ["": 17]>
    net (float[N, 4, 8, 8] x) => (float[N, 64, 6, 6] y)
    {
        y = Conv (x, w)
    }
    """
    kept = np.zeros((64, 4, 3, 3), np.float32)
    kept[:, :2, 1] = 1  # 2 channels × 3 positions = 6 inputs
    values = initial_values(model_of(text, w=kept), 0)["w"]
    assert np.std(values[kept != 0]) == pytest.approx(6**-0.5, rel=0.15)
    assert not values[kept == 0].any()


def test_normalisation_starts_neutral_and_the_forget_gate_open() -> None:
    text = """
    <ir_version: 10, opset_import: ["": 17]>
    net (float[5, N, 3] x) => (float[5, 1, N, 2] y)
    {
        y, h, c = LSTM <hidden_size = 2> (x, w, r, b)
    }
    """
    full = {
        "w": np.ones((1, 8, 3), np.float32),
        "r": np.ones((1, 8, 2), np.float32),
        "b": np.full((1, 16), 7, np.float32),
    }
    values = initial_values(model_of(text, **full), 0)
    # Gates i, o, f, c of two units each, input biases, then recurrent ones.
    assert values["b"].tolist() == [[0, 0, 0, 0, 1, 1, 0, 0] + [0] * 8]


def test_the_draw_depends_on_seed_and_place_but_not_on_names() -> None:
    text = MLP.replace("w1", "first").replace("w2", "second")
    arrays = {name: value.const_value.numpy() for name, value in mlp().graph.initializers.items()}
    renamed = model_of(text, first=arrays["w1"], second=arrays["w2"], b1=arrays["b1"], b2=arrays["b2"])
    assert np.array_equal(initial_values(mlp(), 4)["w1"], initial_values(renamed, 4)["first"])
    assert not np.array_equal(initial_values(mlp(), 4)["w1"], initial_values(mlp(), 5)["w1"])


# --- steps -----------------------------------------------------------------------------------------------------------


def test_batches_are_even_and_cover_everything() -> None:
    assert bounds(10, 4) == [(0, 3), (3, 7), (7, 10)]
    assert bounds(65, 64) == [(0, 32), (32, 65)]
    assert bounds(3, 64) == [(0, 3)]


def test_each_seed_and_epoch_has_its_own_order() -> None:
    first = order(1, 0, 50)
    assert sorted(first) == list(range(50))
    assert np.array_equal(first, order(1, 0, 50))
    assert not np.array_equal(first, order(1, 1, 50))
    assert not np.array_equal(first, order(2, 0, 50))


def test_cosine_falls_from_the_start_value_towards_zero() -> None:
    options = TrainingOptions(learning_rate=0.1)
    assert learning_rate(options, 0, 100) == pytest.approx(0.1)
    assert learning_rate(options, 50, 100) == pytest.approx(0.05)
    assert learning_rate(options, 99, 100) < 1e-4
    assert learning_rate(replace(options, schedule="constant"), 99, 100) == 0.1


@pytest.mark.parametrize(("name", "reference"), [
    ("adam", lambda p: torch.optim.Adam([p], lr=0.01, eps=1e-6)),
    ("sgd", lambda p: torch.optim.SGD([p], lr=0.01, momentum=0.9)),
])  # fmt: skip
def test_steps_are_those_of_torch(name: str, reference: object) -> None:
    start = torch.linspace(-1, 1, 12).reshape(3, 4)
    mine, theirs = start.clone(), start.clone().requires_grad_()
    optimizer = Optimizer([mine], TrainingOptions(optimizer=name), decayed=[])  # type: ignore[arg-type]
    torchs = reference(theirs)  # type: ignore[operator]
    for step in range(5):
        gradient = (start * (step + 1)).sin()
        optimizer.step([gradient.clone()], 0.01)
        theirs.grad = gradient.clone()
        torchs.step()
    assert torch.allclose(mine, theirs, atol=1e-7)


def test_each_network_is_clipped_by_its_own_norm() -> None:
    gradients = [torch.tensor([[3.0, 0.0], [0.3, 0.0]]), torch.tensor([[4.0], [0.4]])]
    clip(gradients, 1.0, lead=1)
    # Norms 5 and 0.5: the first is scaled by 1/5, the second left alone.
    assert torch.allclose(gradients[0], torch.tensor([[0.6, 0.0], [0.3, 0.0]]), atol=1e-5)
    assert torch.allclose(gradients[1], torch.tensor([[0.8], [0.4]]), atol=1e-5)


# --- targets that do not count, legal symbols -------------------------------------------------------------------------


def test_padding_counts_neither_in_the_loss_nor_in_legality() -> None:
    text = """
    <ir_version: 10, opset_import: ["": 17]>
    net (float[N, 4, 3] x) => (float[N, 4, 2] y)
    {
        y = MatMul (x, w)
    }
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 4, 3)).astype(np.float32)
    y = (x[:, :, 0] > 0).astype(np.int64)
    y[:, 3] = -1
    legal = np.zeros((40, 4, 2), bool)
    np.put_along_axis(legal, np.maximum(y, 0)[:, :, None], True, axis=2)
    legal[:, 0] = True  # at the first step both symbols are legal
    legal[:, 3] = False
    signature = Signature(input_shape=(4, 3), outputs=2, per_step=True)
    split = Split(x=x, y=y, legal=legal)
    task = Task(name="sign", signature=signature, train=split, validation=split, test=split, metric="legality")
    model = model_of(text, w=np.ones((3, 2), np.float32))
    options = TrainingOptions(epochs=40, learning_rate=0.05, batch_size=20)
    result = train(model, task, options, seed=0)
    other = x.copy()
    other[:, 3] = 100  # what stands at padded steps
    changed = train(model, replace(task, train=Split(x=other, y=y, legal=legal)), options, seed=0)
    assert result.accuracy > 0.97
    assert np.allclose(result.weights["w"], changed.weights["w"], atol=1e-5)
    # The opposite answers: only the first step is legal, one step of three.
    upside_down = replace(result, weights={"w": -result.weights["w"]})
    share = evaluate(apply_result(model, upside_down), task, split)
    assert share == pytest.approx(1 / 3, abs=0.03)
