"""Multilayer perceptrons: the graph of worked candidates, random-graph wiring, errors."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import onnx_graph
from search_spaces import (
    Candidate,
    InvalidCandidateError,
    InvalidOptionError,
    MaskRecipe,
    Signature,
    create,
    random_graph,
)
from search_spaces.genes import RandomTrial
from search_spaces.testing import run

SIGNATURE = Signature(input_shape=(3,), outputs=2)


def nodes(model):
    return [node.op_type for node in model.graph]


def candidate(density=1.0, **genes):
    architecture = {"wiring": "plain", "activation": "relu", "depth": 1, "width_1": 4, **genes}
    return Candidate(space="mlp", architecture=architecture, mask=MaskRecipe(density=density))


def test_plain_layers_are_gemm_and_activation():
    model = create("mlp", SIGNATURE).build(candidate(depth=2, width_2=5))
    assert nodes(model) == ["Gemm", "Relu", "Gemm", "Relu", "Gemm"]
    assert {weight.name: weight.shape for weight in onnx_graph.weights(model)} == {
        "hidden_1.weight": (4, 3),
        "hidden_2.weight": (5, 4),
        "head.weight": (2, 5),
    }


def test_dense_network_sums_paths():
    # Weights 1, biases 0, inputs 1, 2, 3: every hidden unit is 6, every output 4 · 6 = 24.
    output = run(create("mlp", SIGNATURE).build(candidate()), np.array([[1, 2, 3]], np.float32))
    assert output.tolist() == [[24.0, 24.0]]


def test_skip_from_input_to_head_adds_the_inputs():
    genes = {"wiring": "skips", "skip_0_head": True}
    output = run(create("mlp", SIGNATURE).build(candidate(**genes)), np.array([[1, 2, 3]], np.float32))
    assert output.tolist() == [[30.0, 30.0]]
    assert nodes(create("mlp", SIGNATURE).build(candidate(**genes))) == ["Gemm", "Relu", "Gemm", "MatMul", "Add"]


def test_skip_into_a_hidden_layer_comes_before_its_activation():
    genes = {"wiring": "skips", "depth": 2, "width_2": 5, "skip_0_2": True, "skip_0_head": False, "skip_1_head": False}
    model = create("mlp", SIGNATURE).build(candidate(**genes))
    assert nodes(model) == ["Gemm", "Relu", "Gemm", "MatMul", "Add", "Relu", "Gemm"]
    # h1 = 6 each, h2 = 4 · 6 + 6 = 30 each, outputs 5 · 30.
    assert run(model, np.array([[1, 2, 3]], np.float32)).tolist() == [[150.0, 150.0]]


def test_images_are_flattened():
    model = create("mlp", Signature(input_shape=(1, 2, 2), outputs=2)).build(candidate())
    assert nodes(model) == ["Flatten", "Gemm", "Relu", "Gemm"]
    assert model.graph.initializers["hidden_1.weight"].shape.numpy() == (4, 4)


@pytest.mark.parametrize(
    ("activation", "at_minus_one"),
    [
        ("relu", 0.0),
        ("tanh", -0.761594),
        ("leaky-relu", -0.01),
        ("elu", -0.632121),
        ("sigmoid", 0.268941),
        ("silu", -0.268941),
    ],
)
def test_activations(activation, at_minus_one):
    # One input, one hidden unit, one output, all weights 1: the network is the activation.
    space = create("mlp", Signature(input_shape=(1,), outputs=1))
    model = space.build(candidate(activation=activation, width_1=1))
    assert run(model, np.array([[-1.0]], np.float32)).item() == pytest.approx(at_minus_one, abs=1e-5)


def test_same_shape_whatever_the_widths():
    space = create("mlp", SIGNATURE)
    narrow, wide = space.build(candidate(width_1=4)), space.build(candidate(width_1=9))
    assert [(node.name, node.op_type) for node in narrow.graph] == [(node.name, node.op_type) for node in wide.graph]


@pytest.mark.parametrize(("wiring", "structured"), [("plain", False), ("skips", False), ("barabasi-albert", True)])
def test_a_space_knows_without_the_network_whether_connections_are_prescribed(wiring, structured):
    space, rng = create("mlp", SIGNATURE, wirings=[wiring], depth=[3, 3]), np.random.default_rng(0)
    design = space.design(RandomTrial(rng))
    assert space.structured(design) == structured == bool(space.network(design).structure)


def test_random_graph_prescribes_the_connections_between_hidden_layers():
    genes = {
        "wiring": "barabasi-albert",
        "activation": "relu",
        "graph_depth": 3,
        "vertices": 30,
        "degree": 4,
        "graph_seed": 1,
    }
    space = create("mlp", SIGNATURE)
    models = [
        space.build(Candidate(space="mlp", architecture=genes, mask=MaskRecipe(density=1.0, seed=seed)))
        for seed in (0, 1)
    ]
    first, second = (onnx_graph.masks(model) for model in models)
    between = [name for name in first if name.startswith("hidden_") and name != "hidden_1.weight"]
    assert between
    assert all(0 < first[name].mean() < 0.5 and (first[name] == second[name]).all() for name in between)
    assert first["hidden_1.weight"].all()
    widths = [mask.shape[0] for name, mask in first.items() if name.startswith("hidden_")]
    assert sum(widths) == 30


def test_theme_prescribes_whole_blocks():
    genes = {
        "wiring": "theme",
        "activation": "relu",
        "graph_depth": 3,
        "theme_vertices": 5,
        "theme_degree": 3,
        "theme_units": 40,
        "graph_seed": 2,
    }
    space = create("mlp", SIGNATURE)
    theme = random_graph.theme(vertices=5, degree=3, scale=40, depth=3, seed=2)
    models = {
        units: space.build(Candidate(space="mlp", architecture={**genes, "theme_units": units})) for units in (40, 80)
    }
    masks = onnx_graph.masks(models[40])
    assert any(target - source > 1 for source, target in theme.masks)
    for (source, target), mask in theme.masks.items():
        name = f"hidden_{target}" if target == source + 1 else f"skip_{source}_{target}"
        assert (masks[f"{name}.weight"] == mask).all()
    assert nodes(models[40]) == nodes(models[80])
    wider = onnx_graph.masks(models[80])
    assert all(wider[name].size > mask.size for name, mask in masks.items())


def test_random_graph_without_its_structure_keeps_layers_and_skips():
    genes = {
        "wiring": "erdos-renyi",
        "activation": "tanh",
        "graph_depth": 3,
        "vertices": 30,
        "degree": 4,
        "graph_seed": 1,
    }
    space = create("mlp", SIGNATURE)
    sparse = Candidate(space="mlp", architecture=genes)
    dense = space.dense(sparse)
    assert dense.architecture["wiring"] == "skips"
    assert nodes(space.build(dense)) == nodes(space.build(sparse))
    assert all(mask.all() for mask in onnx_graph.masks(space.build(dense)).values())


def test_budget_loosens_a_random_graph_that_has_too_many_edges():
    # At most 5 % of the weights: fewer than the 64 edges of the graph.
    space = create(
        "mlp", SIGNATURE, wirings=["erdos-renyi"], vertices=[16, 16], degree=[8, 8], max_density=0.05, min_live=0
    )
    for seed in range(5):
        drawn = space.sample(np.random.default_rng(seed))
        counts = onnx_graph.count(space.build(drawn))
        assert drawn.architecture["wiring"] in ("plain", "skips")
        assert counts.nnz <= 0.05 * counts.weights < 64


def test_dead_units_cost_nothing():
    space = create("mlp", Signature(input_shape=(8,), outputs=2))
    model = space.build(candidate(density=0.2, width_1=16))
    masks = onnx_graph.masks(model)
    alive_in, alive_out = masks["hidden_1.weight"].any(axis=1), masks["head.weight"].any(axis=0)
    assert (alive_in == alive_out).all()
    assert not alive_in.all()


def test_tight_budget_draws_narrow_layers():
    rng = np.random.default_rng(0)
    means = []
    for options in ({}, {"max_nnz": 600}):
        space = create("mlp", Signature(input_shape=(64,), outputs=10), wirings=["plain"], min_live=0, **options)
        means.append(np.mean([space.sample(rng).architecture["width_1"] for _ in range(100)]))
    # Uniform in [8, 300]: 154; log-uniform: 292 / ln 37.5 = 81.
    assert means == pytest.approx([154, 81], abs=25)


@pytest.mark.parametrize(
    ("genes", "said"),
    [
        ({"activation": "rellu"}, "rellu"),
        ({"wiring": "ring"}, "ring"),
        ({"width_1": 0}, "width_1"),
        ({"width_1": 10**9}, "width_1"),
        ({"width_1": True}, "width_1"),
        ({"width_1": 4.0}, "width_1"),
        ({"depth": 2}, "width_2"),
        ({"width_7": 4}, "width_7"),
        ({"wiring": "erdos-renyi", "graph_depth": 2, "vertices": 4, "degree": 6, "graph_seed": 0}, "degree 6"),
    ],
)
def test_nonsense_is_an_invalid_candidate(genes, said):
    with pytest.raises(InvalidCandidateError, match=said):
        create("mlp", SIGNATURE).build(candidate(**genes))


def test_too_many_weights_are_refused():
    genes = {"depth": 4, **{f"width_{layer}": 4096 for layer in range(1, 5)}}
    with pytest.raises(InvalidCandidateError, match="50,000,000 weights"):
        create("mlp", SIGNATURE).build(candidate(**genes))


def test_candidate_of_another_space_is_refused():
    with pytest.raises(InvalidCandidateError, match="'cnn'"):
        create("mlp", SIGNATURE).build(Candidate(space="cnn", architecture={}))


def test_output_per_time_step_is_refused():
    with pytest.raises(InvalidOptionError, match="take 'rnn'"):
        create("mlp", Signature(input_shape=(5, 3), outputs=2, per_step=True))


def test_threads_that_build_the_same_candidates_get_networks_of_their_own():
    space = create("mlp", Signature(input_shape=(8,), outputs=3), max_nnz=60)
    rng = np.random.default_rng(0)
    candidates = [space.sample(rng) for _ in range(20)]
    expected = [onnx_graph.count(space.build(candidate)) for candidate in candidates]
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda _: [space.build(candidate) for candidate in candidates], range(4)))
    assert all([onnx_graph.count(model) for model in models] == expected for models in several)
    assert len({id(model) for models in several for model in models}) == 80


def test_a_network_in_another_width_stays_within_the_ranges():
    signature = Signature(input_shape=(1, 8, 8), outputs=3)
    space = create("mlp", signature, width=[8, 100], wirings=["plain"], depth=[2, 2])
    wide = space.plain()[0]
    narrow = space.resized(wide, 0.25)
    assert [wide.architecture[name] for name in ("width_1", "width_2")] == [100, 100]
    assert [narrow.architecture[name] for name in ("width_1", "width_2")] == [25, 25]
    assert space.resized(wide, 0.01).architecture["width_1"] == 8
    assert narrow.architecture["activation"] == wide.architecture["activation"]
    joined = create("mlp+cnn", signature)
    several = [joined.resized(one, 0.5) for one in joined.plain()]
    assert [one.space for one in several] == ["mlp", "cnn", "cnn"]
    assert several[1].architecture["channels"] == joined.plain()[1].architecture["channels"] // 2
