"""Architecture genes of the MLP space: auto-compressing and dynamical wiring, tailored rectifiers, μP scaling."""

import math

import numpy as np
import optuna
import pytest

import onnx_graph
from onnx_graph.norm_bound import norm_bounds
from search_spaces import Candidate, InvalidCandidateError, InvalidOptionError, MaskRecipe, Signature, create
from search_spaces.tailored_rectifier import TARGET, cosine, last_cosine, tailored_slope
from search_spaces.testing import run, serialized

SIGNATURE = Signature(input_shape=(3,), outputs=2)
INPUT = np.array([[1, 2, 3]], np.float32)


def candidate(density=1.0, **genes):
    architecture = {"wiring": "plain", "activation": "relu", "depth": 2, "width_1": 4, **genes}
    return Candidate(space="mlp", architecture=architecture, mask=MaskRecipe(density=density))


def build(density=1.0, **genes):
    return create("mlp", SIGNATURE).build(candidate(density, **genes))


def alphas(model):
    return {node.name: node.attributes.get_float("alpha", 1.0) for node in model.graph if node.op_type == "Gemm"}


def test_all_new_genes_are_drawn_suggested_changed_and_crossed():
    space = create(
        "mlp",
        SIGNATURE,
        width=[4, 8],
        depth=[1, 3],
        activations=["relu", "selu", "tailored"],
        wirings=["skips", "erdos-renyi", "auto-compressing", "dynamical"],
        scalings=["standard", "mup"],
        base_width=8,
        min_live=0,
    )
    rng = np.random.default_rng(0)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    parents = [space.suggest(study.ask()) if index % 2 else space.sample(rng) for index in range(24)]
    children = [space.mutate(parent, rng) for parent in parents[:8]]
    children += [space.crossover(*parents[index : index + 2], rng) for index in range(8)]
    drawn = [one.architecture for one in parents + children]
    for name, values in (("wiring", 4), ("activation", 3), ("scaling", 2)):
        assert len({genes[name] for genes in drawn}) == values
    for one in children:
        model = space.build(one)
        assert onnx_graph.trim(model) == 0
        assert run(model, INPUT).shape == (1, 2)
        assert onnx_graph.count(space.build(space.dense(one))).weights == onnx_graph.count(model).weights


def test_auto_compressing_head_reads_the_sum_of_all_layers():
    model = build(wiring="auto-compressing", depth=3)
    assert [node.op_type for node in model.graph] == ["Gemm", "Relu", *["Gemm", "Relu", "Add"] * 2, "Gemm"]
    # Weights 1: h1 = 6, h2 = 4 · 6, h3 = 4 · 24; the head sums 4 · (6 + 24 + 96).
    assert run(model, INPUT).tolist() == [[504.0, 504.0]]


def test_dynamical_block_reads_one_weight_twice():
    model = build(wiring="dynamical", depth=1, width_1=2)
    assert [node.op_type for node in model.graph] == ["Gemm", "Gemm", "Relu", "Gemm", "Add", "Gemm"]
    weight = model.graph.initializers["block_1.weight"]
    assert [use.node.name for use in weight.uses()] == ["block_1", "block_1.step"]
    # x = 6 each, A·x = 12 each, x − Aᵀ·12 = 6 − 24 each, the head sums two of them.
    assert run(model, INPUT).tolist() == [[-36.0, -36.0]]
    # 2 · 3 + 2 · 2 + 2 · 2: the block's weight counts once, its multiplications twice.
    counts = onnx_graph.count(model)
    assert (counts.nnz, counts.macs) == (14, 18)


@pytest.mark.parametrize(
    ("genes", "bound"),
    [
        ({}, 2.0),
        ({"activation": "selu"}, 2 / 1.7581),
        ({"scaling": "mup", "base_width": 8}, 2 / 2**2),  # A is scaled by 8 / 4
    ],
)
def test_a_block_states_the_bound_under_which_it_does_not_expand(genes, bound):
    model = build(wiring="dynamical", **genes)
    assert norm_bounds(model) == {f"block_{number}.weight": pytest.approx(bound) for number in (1, 2)}


def test_the_bound_survives_clones_files_trimming_and_shrinking(tmp_path):
    # 40 · 40 weights: shape inference does not get to see so large an initializer.
    model = build(0.3, wiring="dynamical", width_1=40)
    expected = {"block_1.weight": 2.0, "block_2.weight": 2.0}
    onnx_graph.trim(model)
    onnx_graph.save(onnx_graph.shrink(model.clone()), tmp_path / "model.onnx")
    loaded = onnx_graph.load(tmp_path / "model.onnx")
    onnx_graph.set_weights(loaded, {"block_1.weight": np.ones((40, 40), np.float32)})
    assert norm_bounds(loaded) == expected


def test_a_bound_that_is_no_number_is_refused():
    model = build(wiring="dynamical")
    model.graph.initializers["block_2.weight"].metadata_props["nas.norm_bound"] = "-1"
    with pytest.raises(onnx_graph.InvalidModelError, match=r"'block_2\.weight' states nas\.norm_bound = '-1'"):
        norm_bounds(model)


def test_an_activation_that_falls_has_no_non_expansive_block():
    with pytest.raises(InvalidOptionError, match="'silu' falls"):
        create("mlp", SIGNATURE, wirings=["dynamical"], activations=["relu", "silu"])
    with pytest.raises(InvalidCandidateError, match="'silu' falls"):
        build(wiring="dynamical", activation="silu")


def test_cosine_map_is_that_of_leaky_rectifiers():
    # Monte Carlo: E[φ(u)·φ(v)] of unit normals with covariance c, φ of mean square 1.
    rng, c, slope = np.random.default_rng(0), 0.3, 0.2
    u, other = rng.normal(size=(2, 400_000))
    first, second = (
        np.where(z > 0, z, slope * z) * math.sqrt(2 / (1 + slope**2)) for z in (u, c * u + math.sqrt(1 - c * c) * other)
    )
    assert cosine(c, slope) == pytest.approx((first * second).mean(), abs=0.01)
    assert cosine(c, 1.0) == c
    assert cosine(1.0, slope) == 1.0


@pytest.mark.parametrize("depth", [20, 30, 100])
def test_tailored_slope_leaves_orthogonal_examples_at_the_target(depth):
    slope = tailored_slope(depth)
    assert 0 < slope < 1
    assert last_cosine(depth, slope) == pytest.approx(TARGET, abs=1e-4)
    assert last_cosine(depth, 0.0) > TARGET


def test_deeper_networks_have_steeper_slopes_and_shallow_ones_are_rectifiers():
    assert tailored_slope(2) == 0
    assert tailored_slope(20) < tailored_slope(30) < tailored_slope(60)


def test_tailored_networks_hold_the_slope_of_their_depth():
    widths = {f"width_{number}": 4 for number in range(1, 31)}
    model = build(activation="tailored", depth=30, **widths)
    slopes = [node.attributes.get_float("alpha", 0) for node in model.graph if node.op_type == "LeakyRelu"]
    assert slopes == [pytest.approx(tailored_slope(30))] * 30


def test_mup_scales_the_layers_that_read_hidden_units():
    genes = {"wiring": "skips", "depth": 2, "width_1": 4, "width_2": 16, "scaling": "mup", "base_width": 8}
    skips = {"skip_0_2": True, "skip_0_head": False, "skip_1_head": True}
    model = build(**genes, **skips)
    # 8 / fan-in, but 1 where the fan-in is that of the data.
    assert alphas(model) == {"hidden_1": 1, "hidden_2": 2, "head": 0.5, "skip_1_head": 2}
    assert [node.name for node in model.graph if node.op_type == "MatMul"] == ["skip_0_2"]
    # h1 = 6, h2 = 2 · 24 + 6, head: .5 · 16 · 54 + 2 · 24.
    assert run(model, INPUT).tolist() == [[480.0, 480.0]]


def test_mup_at_its_base_width_is_the_standard_scaling():
    standard, mup = build(width_2=4), build(width_2=4, scaling="mup", base_width=4)
    assert serialized(standard) == serialized(mup)
    assert serialized(standard) != serialized(build(width_2=4, scaling="mup", base_width=5))


def test_searches_without_a_choice_of_scaling_have_no_gene_for_it():
    rng = np.random.default_rng(0)
    drawn = [create("mlp", SIGNATURE).sample(rng).architecture for _ in range(5)]
    assert all("scaling" not in genes and genes["wiring"] not in ("dynamical", "auto-compressing") for genes in drawn)
    drawn = [create("mlp", SIGNATURE, scalings=["mup"]).sample(rng).architecture for _ in range(3)]
    assert all((genes["scaling"], genes["base_width"]) == ("mup", 64) for genes in drawn)


def test_candidates_build_the_same_whatever_scalings_a_space_draws():
    plain, scaled = create("mlp", SIGNATURE), create("mlp", SIGNATURE, scalings=["standard", "mup"], base_width=99)
    for one in (candidate(width_2=4), candidate(width_2=4, scaling="mup", base_width=8)):
        assert serialized(plain.build(one)) == serialized(scaled.build(one))


@pytest.mark.parametrize(
    ("options", "said"), [({"scalings": ["mupp"]}, "did you mean 'mup'"), ({"base_width": 0}, "base_width")]
)
def test_nonsense_options_are_refused(options, said):
    with pytest.raises(InvalidOptionError, match=said):
        create("mlp", SIGNATURE, **options)


def test_an_unknown_scaling_is_an_invalid_candidate():
    with pytest.raises(InvalidCandidateError, match="unknown scaling 'ntk'"):
        build(width_2=4, scaling="ntk")
