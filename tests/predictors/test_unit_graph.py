"""Units and connections of small networks, found by hand and compared with the masks of random candidates."""

import numpy as np
import onnx_ir as ir
import pytest

import onnx_graph
import search_spaces
from predictors import encode
from predictors.paths import unit_graph
from predictors.paths.unit_graph import UNIT_FEATURES
from predictors.reading.operators import INDEX
from search_spaces.network_builder import NetworkBuilder
from search_spaces.signature import Signature


def _units(builder: NetworkBuilder, x: ir.Value, **masks: np.ndarray):
    built = builder.finish(x)
    full = {layer.name: np.ones(layer.shape, bool) for layer in built.layers}
    graph = encode(built.model({**full, **{f"{name}.weight": mask for name, mask in masks.items()}}))
    assert graph.units is not None
    return graph, graph.units


def _edges(units) -> set[tuple[int, int]]:
    return set(map(tuple, units.edges.T.tolist()))


def _kinds(graph, units) -> list[int]:
    return graph.operators[units.owner].tolist()


def test_a_perceptron_is_its_neurons_and_connections():
    builder = NetworkBuilder((3,), "net")
    first, second = np.array([[1, 0, 1], [0, 1, 0]], bool), np.array([[1, 1]], bool)
    x = builder.activation(builder.gemm(builder.input, 2, "first"), "relu", "act")
    graph, units = _units(builder, builder.gemm(x, 1, "second"), first=first, second=second)
    # Inputs 0, 1, 2, then hidden 3, 4, then output 5.
    assert _edges(units) == {(0, 3), (2, 3), (1, 4), (3, 5), (4, 5)}
    assert _kinds(graph, units) == [INDEX["input"]] * 3 + [INDEX["dense"]] * 3
    fan_in = np.expm1(units.features[:, UNIT_FEATURES.index("log_fan_in")])
    np.testing.assert_allclose(fan_in, [0, 0, 0, 2, 1, 2], atol=1e-5)
    np.testing.assert_array_equal(units.features[:, UNIT_FEATURES.index("is_input")], [1, 1, 1, 0, 0, 0])


def test_a_convolution_is_its_channels_and_its_degrees_count_positions():
    builder = NetworkBuilder((2, 4, 4), "net")
    mask = np.zeros((2, 2, 3, 3), bool)
    mask[0, 1, :2, :2] = True
    mask[1, 0, 0, 0] = True
    x = builder.convolution(builder.input, 2, 3, "conv")
    _graph, units = _units(builder, builder.gemm(builder.flatten(x), 1, "head"), conv=mask)
    assert {(1, 2), (0, 3)} <= _edges(units)
    # The head reads sixteen places of either channel: one connection each, thirty-two of its own weights.
    assert {(2, 4), (3, 4)} <= _edges(units)
    np.testing.assert_allclose(np.expm1(units.features[2:, 0]), [4, 1, 32], rtol=1e-5)


def test_groups_read_their_own_channels():
    builder = NetworkBuilder((2, 4, 4), "net")
    x = builder.convolution(builder.input, 2, 3, "depthwise", groups=2, bias=False)
    _, units = _units(builder, builder.gemm(builder.flatten(x), 1, "head"))
    assert {(0, 2), (1, 3)} <= _edges(units)
    assert not {(0, 3), (1, 2)} & _edges(units)


def test_a_sum_of_two_layers_is_joined_and_a_sum_with_itself_is_not():
    builder = NetworkBuilder((2,), "net")
    one, two = builder.gemm(builder.input, 2, "one"), builder.gemm(builder.input, 2, "two")
    graph, units = _units(builder, builder.gemm(builder.add(one, two, "sum"), 1, "head"))
    joins = np.flatnonzero(units.features[:, UNIT_FEATURES.index("is_join")])
    assert len(joins) == 2
    assert set(_kinds(graph, units)) == {INDEX["input"], INDEX["dense"], INDEX["add"]}
    for join in joins:
        assert sum(target == join for _, target in _edges(units)) == 2


def test_a_recurrent_layer_is_joined_to_itself():
    space = search_spaces.create("rnn", Signature(input_shape=(6, 3), outputs=2), cells=("gru",), layers=(1, 1))
    model = space.build(space.sample(np.random.default_rng(3)))
    graph = encode(model)
    assert graph.units is not None
    layer = np.flatnonzero(graph.operators == INDEX["gru"])[0]
    hidden = np.flatnonzero(graph.units.owner == layer)
    inside = np.isin(graph.units.edges, hidden).all(axis=0)
    masks = onnx_graph.masks(model)
    recurrent = next(mask for name, mask in masks.items() if mask.shape[0] == 3 * mask.shape[1])
    together = recurrent.reshape(3, len(hidden), len(hidden)).any(axis=0)
    found = {(target - hidden[0], source - hidden[0]) for source, target in graph.units.edges[:, inside].T}
    assert found == set(zip(*np.nonzero(together), strict=True))


@pytest.mark.parametrize(
    ("name", "shape"), [("mlp", (16,)), ("cnn", (1, 8, 8)), ("rnn", (8, 5))], ids=["mlp", "cnn", "rnn"]
)
def test_random_networks_have_all_their_connections(name, shape):
    space = search_spaces.create(name, Signature(input_shape=shape, outputs=3))
    rng = np.random.default_rng(0)
    read = 0
    for _ in range(12):
        model = space.build(space.sample(rng))
        graph = encode(model)
        if graph.units is None:
            continue
        units, read = graph.units, read + 1
        assert len(_edges(units)) == units.edges.shape[1]
        assert units.owner.min() >= 0
        assert units.edges.max() < len(units.owner)
        layers = units.features[:, 2:].sum(axis=1) == 0
        degrees = np.expm1(units.features[layers, 0].astype(np.float64))
        assert round(float(degrees.sum())) == onnx_graph.count(model).nnz
    assert read >= 6


def test_a_large_network_has_none(monkeypatch):
    monkeypatch.setattr(unit_graph, "LARGEST", 10)
    builder = NetworkBuilder((4,), "net")
    built = builder.finish(builder.gemm(builder.input, 4, "layer"))
    assert encode(built.model({layer.name: np.ones(layer.shape, bool) for layer in built.layers})).units is None


def _sum_of_everything(builder: NetworkBuilder) -> ir.Value:
    """A sum of a layer with the next one, six times: joins, each of two connections a unit."""
    x = builder.gemm(builder.input, 4, "layer")
    for place in range(6):
        x = builder.add(x, builder.gemm(x, 4, f"layer{place}"), f"sum{place}")
    return x


@pytest.mark.parametrize("limit", ["LARGEST", "_MOST_DRAWN"])
def test_connections_of_joins_count_too(monkeypatch, limit):
    builder = NetworkBuilder((4,), "net")
    built = builder.finish(_sum_of_everything(builder))
    model = built.model({layer.name: np.eye(*layer.shape, dtype=bool) for layer in built.layers})
    units = encode(model).units
    assert units is not None
    weights = 4 * 7
    joins = 2 * 4 * 6
    assert units.edges.shape[1] == weights + joins
    monkeypatch.setattr(unit_graph, limit, weights + joins)
    assert encode(model).units is not None
    monkeypatch.setattr(unit_graph, limit, weights + joins - 1)
    assert encode(model).units is None


def test_it_survives_the_way_to_arrays_and_back():
    from predictors.structure_graph import StructureGraph

    space = search_spaces.create("mlp", Signature(input_shape=(16,), outputs=3))
    graph = encode(space.build(space.sample(np.random.default_rng(0))))
    back = StructureGraph.from_arrays(graph.arrays())
    assert graph.units is not None
    assert back.units is not None
    for name, value in vars(graph.units).items():
        np.testing.assert_array_equal(value, getattr(back.units, name))
