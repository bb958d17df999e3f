"""Architecture genes in training: initial values, stacks, norm bounds, learning speed, cut layers, export."""

import dataclasses
import math

import numpy as np
import onnx_ir as ir
import pytest
import torch

import onnx_graph
from nas.exporters.onnx_export import export
from nas.importer.torch_network import import_model
from nas.measure.runtime import Runtime
from nas.tasks import load_task
from nas.tasks.task import Task
from nas.training import TrainingOptions, TrainingResult, apply_result, evaluate, train, train_population
from nas.training.loop.optimizer import Optimizer
from nas.training.population import stacks
from nas.training.stack.initialisation import initial_values
from nas.training.stack.norm_projection import project
from nas.training.stack.perceptron_stack import perceptron_stack
from nas.training.stack.stack import Member
from onnx_graph.cutting.layer_cutting import cut_layers
from onnx_graph.norm_bound import norm_bounds
from predictors.features.encoder import encode
from search_spaces import Candidate, MaskRecipe, create

QUICK = TrainingOptions(epochs=3, learning_rate=0.01, batch_size=32)
MUP = {"scaling": "mup", "base_width": 8}
GENES = {
    "auto-compressing": {"wiring": "auto-compressing"},
    "auto-compressing, μP": {"wiring": "auto-compressing", **MUP},
    "dynamical": {"wiring": "dynamical", "activation": "tanh"},
    "dynamical, μP": {"wiring": "dynamical", **MUP},
    "tailored": {"wiring": "auto-compressing", "activation": "tailored"},
}


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("digits", subset=300)


def network(
    task: Task, width: int = 12, density: float = 0.5, seed: int = 0, depth: int = 3, **genes: object
) -> ir.Model:
    widths = {f"width_{number}": width for number in range(1, depth + 1)}
    one_width = genes.get("wiring") in ("auto-compressing", "dynamical")
    architecture = {"wiring": "plain", "activation": "relu", "depth": depth, **genes}
    architecture |= {"width_1": width} if one_width else widths
    candidate = Candidate(space="mlp", architecture=architecture, mask=MaskRecipe(density=density, seed=seed))
    return create("mlp", task.signature).build(candidate)


def initialised(model: ir.Model, seed: int = 0) -> ir.Model:
    onnx_graph.set_weights(model, initial_values(model, seed))
    return model


@pytest.mark.parametrize("name", GENES)
def test_import_shrinking_and_export_compute_what_onnxruntime_does(task: Task, name: str, tmp_path) -> None:
    model = initialised(network(task, density=0.15, **GENES[name]))
    x = task.validation.x[:40]
    expected = Runtime(model)(x)
    imported = import_model(model)
    assert np.allclose(imported(imported.parameters, imported.buffers, torch.from_numpy(x))[0], expected, atol=1e-5)
    assert np.allclose(Runtime(onnx_graph.shrink(model))(x), expected, atol=1e-5)
    written = export(model, tmp_path / "model.onnx", task=task, origin={})
    assert written.largest_error < 1e-4
    assert norm_bounds(onnx_graph.load(written.path)) == norm_bounds(model)


@pytest.mark.parametrize("name", GENES)
def test_stacks_train_like_single_networks(task: Task, name: str) -> None:
    # Other widths have other factors in μP: those networks are stacked only with their like.
    widths = (9, 9, 9) if "scaling" in GENES[name] else (7, 12, 9)
    models = [network(task, width, seed=index, **GENES[name]) for index, width in enumerate(widths)]
    members = [Member.of(model, 0) for model in models]
    assert len(stacks(members, 32)) == 1
    assert perceptron_stack(models[0], frozenset(models[0].graph.initializers)) is not None
    together = train_population(models, task, QUICK, seeds=[1, 2, 3])
    for model, seed, stacked in zip(models, (1, 2, 3), together, strict=True):
        alone = train(model, task, QUICK, seed=seed)
        assert isinstance(stacked, TrainingResult)
        for key, weights in alone.weights.items():
            assert np.allclose(stacked.weights[key], weights, atol=2e-3), key
            assert np.array_equal(stacked.weights[key] == 0, weights == 0), key


def test_project_scales_what_exceeds_its_bound_and_nothing_else() -> None:
    # Column sums 4 and 2, row sums 3 and 3: the product of the largest is 12. Half the entries: 3.
    large = torch.tensor([[2.0, -1.0], [2.0, 1.0]])
    parameters = {"a": large.clone(), "b": large.clone(), "free": large.clone(), "zero": torch.zeros(2, 2)}
    project(parameters, {"a": 3.0, "b": 12.5, "zero": 1.0, "elsewhere": 1.0}, lead=0)
    assert torch.allclose(parameters["a"], large / 2)
    assert torch.equal(parameters["b"], large)
    assert torch.equal(parameters["free"], large)
    assert not parameters["zero"].any()


def test_project_treats_each_network_of_a_stack_by_itself_in_either_orientation() -> None:
    large = torch.tensor([[2.0, -1.0, 0.0], [2.0, 1.0, 0.0]])
    stack = {"a": torch.stack([large, large / 2, large * 0])}
    turned = {"a": stack["a"].transpose(1, 2).contiguous()}
    for parameters in (stack, turned):
        project(parameters, {"a": 3.0}, lead=1)
    assert torch.allclose(stack["a"], torch.stack([large / 2, large / 2, large * 0]))
    assert torch.equal(turned["a"].transpose(1, 2), stack["a"])


def test_initial_values_keep_the_bound_and_projected_blocks_do_not_expand(task: Task) -> None:
    model = initialised(network(task, wiring="dynamical", depth=4))
    network_of = import_model(model)
    bounds = norm_bounds(model)
    for name, bound in bounds.items():
        sizes = network_of.parameters[name].abs()
        assert sizes.sum(0).max() * sizes.sum(1).max() <= bound * (1 + 1e-5)
    # The blocks alone: from the first layer's values to the head's input.
    first, last = ({node.name: node.outputs[0] for node in model.graph}[name] for name in ("lifting", "block_4.sum"))
    rng = np.random.default_rng(0)
    wild = {name: p * 20 if name in bounds else p for name, p in network_of.parameters.items()}
    tame = {name: p.clone() for name, p in wild.items()}
    project(tame, bounds, lead=0)
    model.graph.outputs[:] = [first, last]
    x = torch.from_numpy(rng.normal(size=(64, 1, 8, 8)).astype(np.float32))

    def largest_stretch(parameters: dict[str, torch.Tensor]) -> float:
        onnx_graph.set_weights(model, {name: p.numpy() for name, p in parameters.items()})
        before, after = (import_model(_ending_in(model, index))(parameters, {}, x)[0] for index in range(2))
        return float((torch.pdist(after) / torch.pdist(before)).max())

    assert largest_stretch(wild) > 2
    assert largest_stretch(tame) <= 1 + 1e-5


def _ending_in(model: ir.Model, output: int) -> ir.Model:
    copy = model.clone()
    copy.graph.outputs[:] = [copy.graph.outputs[output]]
    return onnx_graph.simplify(copy)


def test_gains_know_the_slope_of_a_leaky_rectifier(task: Task) -> None:
    # The same draw: sqrt(2) against sqrt(2 / (1 + slope²)).
    depth = 40
    models = [network(task, depth=depth, activation=activation) for activation in ("relu", "tailored")]
    slope = next(node for node in models[1].graph if node.op_type == "LeakyRelu").attributes.get_float("alpha", 0)
    assert slope > 0.3
    relu, tailored = (initial_values(model, 3)["hidden_7.weight"] for model in models)
    assert np.allclose(relu, tailored * math.sqrt(1 + slope**2), rtol=1e-5)


def test_mup_draws_hidden_weights_for_their_factor_and_the_head_for_its_root(task: Task) -> None:
    width, base = 32, 8
    standard, mup = (initial_values(network(task, width, **genes), 3) for genes in ({}, {**MUP, "base_width": base}))
    # alpha = 8 / 32: hidden weights are 4 times as large, so that alpha·W·x is the same; those of the head 2 times.
    assert np.allclose(mup["hidden_2.weight"], 4 * standard["hidden_2.weight"], rtol=1e-5)
    assert np.allclose(mup["head.weight"], 2 * standard["head.weight"], rtol=1e-5)
    assert np.array_equal(mup["hidden_1.weight"], standard["hidden_1.weight"])


@pytest.mark.parametrize(("genes", "low", "high"), [({}, 1.5, 4), ({"scaling": "mup", "base_width": 64}, 0.7, 1.3)])
def test_under_mup_the_features_move_as_far_in_wide_networks(
    task: Task, genes: dict[str, object], low: float, high: float
) -> None:
    # The coordinate check of arXiv:2203.03466: how far three steps of Adam move the last hidden layer, 256 against 64 units.
    narrow, wide = (_moved(network(task, width, density=0.5, **genes), task) for width in (64, 256))
    assert low < wide / narrow < high


def _moved(model: ir.Model, task: Task) -> float:
    """Root mean square change of the last hidden layer's values."""
    initialised(model)
    model.graph.outputs.append(next(node for node in model.graph if node.name == "hidden_3").outputs[0])
    net, inner = import_model(_ending_in(model, 0)), import_model(_ending_in(model, 1))
    leaves = {name: p.requires_grad_() for name, p in net.parameters.items()}
    x, y = torch.from_numpy(task.train.x), torch.from_numpy(task.train.y)
    before = inner(inner.parameters, {}, x)[0]
    optimizer = Optimizer(list(leaves.values()), TrainingOptions(), decayed=[])
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(net(leaves, {}, x)[0], y)
        gradients = zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True)
        optimizer.step([g * net.masks[name] if name in net.masks else g for name, g in gradients], 0.01)
    after = inner({name: leaves[name].detach() for name in inner.parameters}, {}, x)[0]
    return float((after - before).pow(2).mean().sqrt())


def test_predictors_see_the_factor_and_the_slope(task: Task) -> None:
    graphs = [
        encode(network(task, **genes))
        for genes in ({}, MUP, {**MUP, "base_width": 99}, {"activation": "leaky-relu"}, {"activation": "tailored"})
    ]
    seen = {b"".join(np.asarray(value).tobytes() for value in _arrays(graph)) for graph in graphs}
    assert len(seen) == 5


def _arrays(graph: object) -> list[np.ndarray]:
    values = [getattr(graph, field.name) for field in dataclasses.fields(graph)]
    return [value for value in values if isinstance(value, np.ndarray)]


def test_a_trained_network_can_be_cut_and_trained_on(task: Task) -> None:
    model = network(task, 32, depth=4, wiring="auto-compressing")
    trained = apply_result(model, train(model, task, TrainingOptions(epochs=20), seed=0))
    accuracy = evaluate(trained, task, task.validation)
    assert accuracy == evaluate(cut_layers(trained, 4), task, task.validation) > 0.75
    cut = cut_layers(trained, 3)
    assert evaluate(cut, task, task.validation) < accuracy
    assert train(cut, task, TrainingOptions(epochs=5, init="keep"), seed=0).accuracy > accuracy - 0.1


@pytest.mark.slow
def test_thirty_sparse_layers_train_with_tailored_rectifiers() -> None:
    # He et al. scale the weights for the dense fan-in: at a density of .2 thirty layers then lose 10 orders of magnitude.
    task = load_task("digits")
    options = TrainingOptions(epochs=30, learning_rate=3e-3)
    tailored, relu = (network(task, 64, 0.2, 1, depth=30, activation=name) for name in ("tailored", "relu"))
    he = initial_values(relu, 0)
    for weight in onnx_graph.weights(relu):
        kept = (he[weight.name] != 0).sum(axis=1, keepdims=True)
        he[weight.name] *= np.sqrt(kept / weight.shape[1])
    onnx_graph.set_weights(relu, he)
    assert train(tailored, task, options, seed=0).accuracy > 0.9
    assert train(relu, task, dataclasses.replace(options, init="keep"), seed=0).accuracy < 0.5


def test_training_keeps_weights_within_their_bounds(task: Task) -> None:
    """Stacked, at a learning rate that would leave them far behind."""
    models = [network(task, width, **GENES["dynamical"]) for width in (12, 16)]
    results = train_population(models, task, dataclasses.replace(QUICK, learning_rate=0.1), seeds=[0, 1])
    for model, result in zip(models, results, strict=True):
        assert isinstance(result, TrainingResult)
        assert norm_bounds(model)
        for name, bound in norm_bounds(model).items():
            sizes = np.abs(result.weights[name])
            assert sizes.sum(0).max() * sizes.sum(1).max() <= bound * (1 + 1e-5)
