"""Many masks of one network are encoded at once as `encode` encodes each of them; the cheap screen counts what the encoding counts."""

from collections.abc import Mapping

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

import onnx_graph
import search_spaces
from predictors import InvalidMasksError, TaskDescription, encode, encode_masks, screen
from predictors.features import encoder
from predictors.features.context import CONTEXT_FEATURES, READING_FEATURES, contexts
from predictors.features.graph_features import GRAPH_FEATURES
from predictors.features.matrix import matrix
from predictors.features.screen import SCREEN_FEATURES
from search_spaces.signature import Signature

SIGNATURES = {
    "mlp": Signature(input_shape=(1, 6, 6), outputs=5),
    "cnn": Signature(input_shape=(2, 6, 6), outputs=5),
    "rnn": Signature(input_shape=(6, 4), outputs=4, per_step=True),
}
NETWORKS = 5


def network(kind: str, seed: int) -> ir.Model:
    space = search_spaces.create(kind, SIGNATURES[kind])
    return space.build(space.sample(np.random.default_rng(seed)))


def drawn(model: ir.Model, seed: int) -> dict[str, NDArray[np.bool_]]:
    """Masks of `NETWORKS` networks: sparse, denser, one without a zero, and one without a connection in the last layer."""
    rng, found = np.random.default_rng(seed), {}
    for weight in onnx_graph.weights(model):
        densities = np.array([0.1, 0.3, 0.6, 1.0, 0.2]).reshape(-1, *(1,) * len(weight.shape))
        found[weight.name] = rng.random((NETWORKS, *weight.shape)) < densities
    found[list(found)[-1]][4] = False
    return found


def alone(model: ir.Model, masks: Mapping[str, NDArray[np.bool_]], number: int) -> ir.Model:
    """One of the networks."""
    copy = model.clone()
    stored = {
        weight.name: weight.stored(masks[weight.name][number].astype(np.float32))
        for weight in onnx_graph.weights(copy)
        if weight.name in masks
    }
    onnx_graph.set_weights(copy, {name: np.ascontiguousarray(array) for name, array in stored.items()})
    return copy


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", SIGNATURES)
def test_each_graph_is_that_of_the_network_alone(kind, seed):
    model = network(kind, seed)
    masks = drawn(model, seed)
    found = encode_masks(model, masks)
    assert len(found) == NETWORKS
    for number, graph in enumerate(found):
        expected = encode(alone(model, masks, number))
        np.testing.assert_allclose(matrix([graph]), matrix([expected]), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(graph.operators, expected.operators)
        np.testing.assert_array_equal(graph.edges, expected.edges)
        assert (graph.units is None) == (expected.units is None)
        if graph.units is not None and expected.units is not None:
            for name, array in vars(expected.units).items():
                np.testing.assert_array_equal(getattr(graph.units, name), array)


def test_weights_without_masks_keep_their_own():
    model = network("mlp", 1)
    masks = drawn(model, 0)
    first = next(iter(masks))
    found = encode_masks(model, {first: masks[first]}, units=False)
    for number, graph in enumerate(found):
        np.testing.assert_allclose(
            graph.summary, encode(alone(model, {first: masks[first]}, number)).summary, rtol=1e-5, atol=1e-6
        )
        assert graph.units is None


def test_a_stack_is_divided_where_it_would_be_large(monkeypatch):
    model = network("mlp", 2)
    masks = drawn(model, 0)
    whole = matrix(encode_masks(model, masks, units=False))
    monkeypatch.setattr(encoder, "MOST_NETWORKS", 2)
    np.testing.assert_allclose(matrix(encode_masks(model, masks, units=False)), whole, rtol=1e-5, atol=1e-6)


def test_masks_that_fit_no_weight_are_refused():
    model = network("mlp", 1)
    masks = drawn(model, 0)
    name, mask = next(iter(masks.items()))
    with pytest.raises(InvalidMasksError, match="no weight 'other'"):
        encode_masks(model, {"other": mask})
    with pytest.raises(InvalidMasksError, match="must be a bool array"):
        encode_masks(model, {name: mask.astype(np.float32)})
    with pytest.raises(InvalidMasksError, match="must be a bool array"):
        encode_masks(model, {name: mask[:, :1]})
    with pytest.raises(InvalidMasksError, match="as many masks"):
        encode_masks(model, masks | {name: mask[:2]})
    with pytest.raises(InvalidMasksError, match="at least one weight"):
        encode_masks(model, {})
    with pytest.raises(InvalidMasksError, match="got list"):
        encode_masks(model, {name: mask.tolist()})
    assert encode_masks(model, {name: mask[:0]}) == []


def test_a_weight_that_is_used_in_two_orientations_is_refused():
    text = "(float[N,4] x) => (float[N,4] y) { h = Gemm<transB = 1>(x, w)  r = Relu(h)  y = Gemm(r, w) }"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g {text}')
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((4, 4), np.float32), "w"))
    model = onnx_graph.from_proto(proto)
    with pytest.raises(InvalidMasksError, match="two orientations"):
        encode_masks(model, {"w": np.ones((2, 4, 4), bool)})


def test_a_full_layer_is_read_as_such_beside_dead_connections():
    model = network("mlp", 2)
    masks = {name: np.ones((3, *mask.shape), bool) for name, mask in onnx_graph.masks(model).items()}
    last = list(masks)[-1]
    masks[last][1, :, 0] = masks[last][2, :, :2] = False  # nothing reads these units in the networks 1 and 2
    for number, graph in enumerate(encode_masks(model, masks, units=False)):
        expected = encode(alone(model, masks, number))
        np.testing.assert_allclose(matrix([graph]), matrix([expected]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", SIGNATURES)
def test_live_connections_and_inputs_are_those_of_the_encoding(kind):
    model = network(kind, 3)
    masks = drawn(model, 3)
    inputs = int(np.prod(SIGNATURES[kind].input_shape))
    relevance = tuple(np.linspace(0, 1, inputs).tolist())
    task = TaskDescription(samples=10, classes=3, inputs=inputs, one_nn=0.5, linear_probe=0.5, relevance=relevance)
    found = screen(model, masks, task)
    graphs = [graph.on(task) for graph in encode_masks(model, masks, units=False)]
    assert found.shape == (len(graphs), len(SCREEN_FEATURES) + len(masks))
    live = [graph.summary[GRAPH_FEATURES.index("log_effective_nnz")] for graph in graphs]
    np.testing.assert_allclose(found[:, 0], live, atol=1e-5)
    first, last = (CONTEXT_FEATURES.index(name) for name in (READING_FEATURES[0], READING_FEATURES[-1]))
    reading = found[:, 3 : 3 + len(READING_FEATURES)]
    np.testing.assert_allclose(reading, contexts(graphs)[:, first : last + 1], rtol=1e-4, atol=1e-5)


def test_the_share_of_live_connections_and_the_densities_are_shares():
    model = network("mlp", 3)
    found = screen(model, drawn(model, 1))
    names = list(SCREEN_FEATURES)
    shares = found[:, [names.index("live_share"), *range(len(names), found.shape[1])]]
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert (screen(model, {name: np.zeros_like(mask) for name, mask in drawn(model, 1).items()})[:, 0] == 0).all()
    assert found[3, names.index("live_share")] == 1  # no zero at all


def test_a_screen_refuses_masks_that_fit_no_weight():
    with pytest.raises(InvalidMasksError, match="no weight 'other'"):
        screen(network("mlp", 1), {"other": np.ones((2, 3, 3), bool)})
