"""What structure alone does not tell: the inputs that a network reads, their relevance, the gates, the origin of mask and weights."""

from dataclasses import replace

import numpy as np
import pytest

import onnx_graph
import search_spaces
from predictors import Origin, TaskDescription, encode
from predictors.errors import InvalidOriginError, InvalidTaskError
from predictors.features.context import BALANCE_FEATURES, CONTEXT_FEATURES, context
from predictors.features.matrix import matrix, structure_matrix
from predictors.origin import FAMILIES, ORIGIN_FEATURES
from predictors.structure_graph import StructureGraph
from search_spaces.signature import Signature

TASK = TaskDescription(samples=100, classes=3, inputs=4, one_nn=0.9, linear_probe=0.8, relevance=(0.0, 0.2, 0.4, 0.6))
MLP = """<ir_version: 10, opset_import: ["" : 18]>
g (float[N,4] x) => (float[N,3] y) { h = Gemm<transB = 1>(x, w1)  r = Relu(h)  y = Gemm<transB = 1>(r, w2) }"""


def mlp(first: np.ndarray, second: np.ndarray):
    import onnx
    from onnx import numpy_helper

    model = onnx.parser.parse_model(MLP)
    for name, array in (("w1", first), ("w2", second)):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
    return onnx_graph.from_proto(model)


FIRST = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]])
SECOND = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0]])  # nothing reads the third hidden unit


def value(graph: StructureGraph, name: str) -> float:
    return float(context(graph)[CONTEXT_FEATURES.index(name)])


def test_only_live_connections_of_an_input_count():
    use = encode(mlp(FIRST, SECOND)).inputs
    assert use is not None
    assert (use.shape, use.axes) == ((4,), (0,))
    np.testing.assert_array_equal(use.edges, [1, 2, 0, 0])
    np.testing.assert_allclose(use.paths, [2 / 6, 4 / 6, 0, 0])


def test_relevance_is_weighted_by_connections_and_paths():
    graph = encode(mlp(FIRST, SECOND)).on(TASK)
    assert value(graph, "relevance_told") == 1
    assert value(graph, "relevance_all") == pytest.approx(0.3)
    assert value(graph, "relevance_most") == pytest.approx(0.6)
    assert value(graph, "relevance_read") == pytest.approx(0.1)
    assert value(graph, "relevance_share_read") == pytest.approx(0.2 / 1.2)
    assert value(graph, "relevance_edges") == pytest.approx(0.4 / 3)
    assert value(graph, "relevance_paths") == pytest.approx(0.2 * 4 / 6)
    assert value(graph, "inputs_share_read") == pytest.approx(0.5)


def test_without_relevance_only_the_use_of_the_inputs_is_known():
    graph = encode(mlp(FIRST, SECOND)).on(replace(TASK, relevance=()))
    assert value(graph, "inputs_log_edges") == pytest.approx(np.log1p(3))
    assert value(graph, "relevance_told") == value(graph, "relevance_all") == 0


def test_permuted_inputs_are_another_network_where_their_relevance_differs():
    order = [3, 2, 0, 1]
    one, other = encode(mlp(FIRST, SECOND)), encode(mlp(FIRST[:, order], SECOND))
    flat = replace(TASK, relevance=(0.3,) * 4)
    np.testing.assert_allclose(context(one.on(flat)), context(other.on(flat)), atol=1e-6)
    assert np.abs(context(one.on(TASK)) - context(other.on(TASK))).max() > 0.1


def test_relevance_of_images_and_sequences_is_that_of_channels_and_features():
    cnn = search_spaces.create("cnn", Signature(input_shape=(2, 4, 4), outputs=3))
    graph = encode(cnn.build(cnn.sample(np.random.default_rng(0))))
    told = np.concatenate([np.full(16, 0.1), np.full(16, 0.5)])
    assert graph.inputs is not None
    np.testing.assert_allclose(graph.inputs.relevance(told.tolist()), [0.1, 0.5], rtol=1e-6)
    rnn = search_spaces.create("rnn", Signature(input_shape=(6, 3), outputs=3, per_step=True))
    graph = encode(rnn.build(rnn.sample(np.random.default_rng(0))))
    assert graph.inputs is not None
    np.testing.assert_allclose(graph.inputs.relevance([0.1, 0.2, 0.3]), [0.1, 0.2, 0.3], rtol=1e-6)
    steps = np.arange(18.0).reshape(6, 3) / 20
    np.testing.assert_allclose(graph.inputs.relevance(steps.ravel().tolist()), steps.mean(axis=0), rtol=1e-6)
    assert graph.inputs.relevance([0.1, 0.2]) is None


def test_the_gates_share_the_connections_of_a_recurrent_layer():
    space = search_spaces.create("rnn", Signature(input_shape=(6, 3), outputs=3, per_step=True), cells=("lstm",))
    model = space.build(space.sample(np.random.default_rng(1)))
    weight = next(one for one in onnx_graph.weights(model) if one.kind == "recurrent")
    mask = np.ones(weight.shape, np.float32).reshape(weight.directions, weight.gates, -1, weight.shape[1])
    mask[:, 0] = 0
    onnx_graph.set_weights(model, {weight.name: weight.stored(mask.reshape(weight.shape))})
    shares = dict(zip(BALANCE_FEATURES, encode(model).balance.tolist(), strict=True))
    layers = sum(one.kind == "recurrent" for one in onnx_graph.weights(model))
    assert shares["gate0_hidden"] < 1 / 4
    assert shares["gates_hidden_spread"] >= 1 / 3 / layers - 0.05
    assert sum(shares[f"gate{gate}_hidden"] for gate in range(4)) == pytest.approx(1, abs=1e-5)


def test_the_origin_is_told_by_name_and_by_family():
    graph = encode(mlp(FIRST, SECOND))
    told = dict(zip(ORIGIN_FEATURES, Origin(method="espn", weights="own").features(21), strict=True))
    assert {name for name, number in told.items() if number} == {"weights_own", "family_after", "method_espn"}
    other = dict(zip(ORIGIN_FEATURES, Origin(method="mine", family="during").features(21), strict=True))
    assert {name for name, number in other.items() if number} == {"family_during"}
    planned = dict(zip(ORIGIN_FEATURES, Origin(method="rigl", nnz=7).features(21), strict=True))
    assert planned["planned_log_nnz"] == pytest.approx(np.log(8))
    assert planned["planned_density"] == pytest.approx(1 / 3)
    assert planned["weights_own"] == planned["planned"] == 1
    row = context(graph.of_origin(Origin(method="rigl", nnz=7)))[-len(ORIGIN_FEATURES) :]
    live = 3 + 4  # of 21 weights
    assert row[ORIGIN_FEATURES.index("planned_density")] == pytest.approx(7 / 21)
    assert np.expm1(graph.summary[0]) == pytest.approx(live)
    np.testing.assert_array_equal(
        structure_matrix([graph]), structure_matrix([graph.of_origin(Origin(method="rigl", nnz=7))])
    )


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ({"weights": "stolen"}, "'fresh' or 'own'"),
        ({"family": "never"}, "'before', 'after', 'during'"),
        ({"method": "espn", "nnz": 0}, "at least 1"),
        ({"method": "espn", "nnz": True}, "at least 1"),
        ({"nnz": 10}, "give the method too"),
        ({"method": "espm"}, "espn"),
        ({"method": "espn", "nnz": 10**30}, "at least 1"),
        ({"method": "espn", "nnz": 10, "weights": "fresh"}, "own weights"),
    ],
)
def test_an_origin_that_cannot_be_is_refused(origin, reason):
    with pytest.raises(InvalidOriginError, match=reason):
        Origin(**origin)


def test_the_methods_with_a_feature_are_methods_of_that_family():
    from nas.training.methods import METHODS

    assert all(METHODS.load(name).kind == family for name, family in FAMILIES.items())


def test_a_graph_keeps_its_context_in_arrays():
    graph = encode(mlp(FIRST, SECOND)).on(TASK).of_origin(Origin(method="espn", weights="own"))
    back = StructureGraph.from_arrays(graph.arrays())
    np.testing.assert_array_equal(matrix([back]), matrix([graph]))
    assert back.origin == graph.origin


@pytest.mark.parametrize("relevance", [[1.5], ["a"], "none", [True], {"x": 1}])
def test_a_relevance_that_cannot_be_is_refused(relevance):
    with pytest.raises(InvalidTaskError, match="relevance"):
        TaskDescription.from_json(TASK.to_json() | {"relevance": relevance})


def test_a_description_is_read_back_with_and_without_relevance():
    assert TaskDescription.from_json(TASK.to_json()) == TASK
    bare = replace(TASK, relevance=())
    assert "relevance" not in bare.to_json()
    assert TaskDescription.from_json(bare.to_json()) == bare
