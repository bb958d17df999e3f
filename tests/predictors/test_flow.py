"""Path counts that can be checked by hand, and live connections against `onnx_graph.effective_masks`."""

from math import exp, log

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

import onnx_graph
from predictors.features.encoder import encode
from predictors.features.graph_features import GRAPH_FEATURES
from predictors.paths.flow import Flow, propagate
from predictors.reading.canonical import canonical_graph


def network(text: str, **weights) -> ir.Model:
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g {text}')
    arrays = {name: np.asarray(array, np.float32 if name != "i" else np.int64) for name, array in weights.items()}
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def flow_of(model: ir.Model) -> Flow:
    return propagate(canonical_graph(model))


def paths(flow: Flow) -> np.ndarray:
    """Number of paths ``(outputs, sources)``."""
    array, logarithm = flow.outputs[0]
    return array[0] * exp(logarithm)


def summary(model: ir.Model, name: str) -> float:
    return float(encode(model).summary[GRAPH_FEATURES.index(name)])


TWO = "(float[N,3] x) => (float[N,2] y) { h = Gemm<transB = 1>(x, a) r = Relu(h) y = Gemm<transB = 1>(r, b) }"
A = [[1, 1, 0], [0, 1, 0], [0, 0, 0]]  # the third unit has no input, the third input no reader
B = [[1, 1, 1], [1, 0, 0]]


def test_paths_are_products_of_masks():
    flow = flow_of(network(TWO, a=A, b=B))
    # B·A = [[1, 2, 0], [1, 1, 0]].
    np.testing.assert_allclose(paths(flow), [[1, 2, 0], [1, 1, 0]])
    assert flow.paths == pytest.approx(log(5))
    assert flow.covered == pytest.approx(2 / 3)
    first, second = flow.records.values()
    # Backwards, second first: the connection from the dead unit 3 is not effective.
    assert [first.effective, second.effective] == [[3], [3]]


def test_the_summary_of_that_network():
    model = network(TWO, a=A, b=B)
    assert summary(model, "path_fraction") == pytest.approx(4 / 6)
    assert summary(model, "input_coverage") == pytest.approx(2 / 3)
    assert np.expm1(summary(model, "log_effective_nnz")) == pytest.approx(6)
    assert np.expm1(summary(model, "log_nnz")) == pytest.approx(6)  # the dead connection is cut
    # Live units: 2 of the hidden layer, 2 outputs.
    assert np.expm1(summary(model, "log_live_min")) == pytest.approx(2)


def test_a_skip_connection_adds_paths():
    text = "(float[N,3] x) => (float[N,3] y) { h = Gemm<transB = 1>(x, a) y = Add(h, x) }"
    np.testing.assert_allclose(paths(flow_of(network(text, a=A))), [[2, 1, 0], [0, 2, 0], [0, 0, 1]])


def test_channels_of_an_image_reach_all_their_places():
    # Two channels of 2×2 places, flattened to 8; only the places of channel 1 are read.
    text = "(float[N,1,2,2] x) => (float[N,1] y) { c = Conv(x, k) f = Flatten(c) y = Gemm<transB = 1>(f, w) }"
    flow = flow_of(network(text, k=np.ones((2, 1, 1, 1)), w=[[0, 0, 0, 0, 1, 1, 1, 0]]))
    conv, dense = sorted(flow.records.values(), key=lambda record: record.backward.shape[1], reverse=True)
    assert conv.effective == [1]
    assert conv.backward[0, 0] == 0 < conv.backward[0, 1]
    assert dense.effective == [3]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("y = Slice(x, one, three, axis)", [[0, 1, 0, 0], [0, 0, 1, 0]]),
        ("a, y = Split<axis = 1>(x, parts)", [[0, 0, 1, 0], [0, 0, 0, 1]]),
        ("y = Concat<axis = 1>(x, x)", np.tile(np.eye(4), (2, 1))),
        ("y = Gather<axis = 1>(x, places)", [[0, 0, 0, 1], [1, 0, 0, 0]]),
        ("r = Reshape(x, square) t = Transpose<perm = [0,2,1]>(r) y = Flatten(t)", np.eye(4)[[0, 2, 1, 3]]),
        ("s = Softmax<axis = 1>(x) y = Abs(s)", np.full((4, 4), 0.25)),
        ("y = Mul(x, keep)", np.diag([1, 0, 1, 0])),
    ],
    ids=["slice", "split", "concat", "gather", "transpose", "softmax", "mask-of-units"],
)
def test_units_are_followed_through(body, expected):
    proto = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[N,2] z) => (float[a,b] y) {{ x = Gemm<transB = 1>(z, w) {body} }}'
    )
    constants = {
        **{"one": [1], "three": [3], "axis": [1], "parts": [2, 2], "places": [3, 0], "square": [1, 2, 2]},
    }
    constants = {name: np.array(value) for name, value in constants.items() if name in body}
    if "keep" in body:
        constants["keep"] = np.array([1, 0, 2, 0], np.float32)
    weight = np.array([[1, 0], [0, 1], [1, 1], [0, 1]], np.float32)
    proto.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in {**constants, "w": weight}.items()
    )
    flow = flow_of(ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True)))
    np.testing.assert_allclose(paths(flow), np.asarray(expected) @ weight)


def test_recurrent_paths_go_through_the_steps():
    # One input into unit 0; 0 → 1 → 2 in a chain; unit 3 feeds itself alone.
    inward = np.array([[[1], [0], [0], [0]]])
    within = np.zeros((1, 4, 4))
    within[0, 1, 0] = within[0, 2, 1] = within[0, 3, 3] = 1
    text = "(float[{0},N,1] x) => (float[{0},1,N,4] y) {{ y = RNN<hidden_size = 4>(x, w, r) }}"
    for steps, reached in ((1, [1, 0, 0, 0]), (2, [1, 1, 0, 0]), (5, [1, 1, 1, 0])):
        model = network(text.format(steps), w=inward, r=within)
        (record,) = flow_of(model).records.values()
        np.testing.assert_array_equal(record.forward[0, :, 0] > 0, reached)
    assert record.effective == [1, 2]


def test_numbers_of_paths_beyond_floats_stay_finite():
    size = 32
    layers = " ".join(f"h{n + 1} = Gemm<transB = 1>(h{n}, w)" for n in range(400))
    half = (np.random.default_rng(0).random((size, size)) < 0.5).astype(np.float32)
    text = f"(float[N,{size}] h0) => (float[N,{size}] h400) {{ {layers} }}"
    flow = flow_of(network(text, w=half))
    assert 400 * log(10) < flow.paths < 400 * log(size)
    assert (flow.outputs[0][0] > 0).all()
    graph = encode(network(text, w=half))
    assert np.isfinite(graph.features).all()
    assert np.isfinite(graph.summary).all()


@pytest.mark.parametrize("seed", range(6))
def test_effective_connections_are_those_of_onnx_graph(seed):
    rng = np.random.default_rng(seed)

    def sparse(*shape: int) -> np.ndarray:
        return (rng.random(shape) < rng.choice([0.15, 0.3])).astype(np.float32)

    text = """(float[N,4,8,8] x) => (float[N,5] y) {
        c = Conv<pads = [1,1,1,1]>(x, k1)  r = Relu(c)  d = Conv<pads = [1,1,1,1], group = 4>(r, k2)
        s = Add(d, c)  p = MaxPool<kernel_shape = [4,4], strides = [4,4]>(s)  f = Flatten(p)
        h = Gemm<transB = 1>(f, w1)  t = Tanh(h)  y = Gemm<transB = 1>(t, w2)
    }"""
    model = network(text, k1=sparse(8, 4, 3, 3), k2=sparse(8, 2, 3, 3), w1=sparse(12, 32), w2=sparse(5, 12))
    expected = sum(int(mask.sum()) for mask in onnx_graph.effective_masks(model).values())
    assert np.expm1(summary(model, "log_effective_nnz")) == pytest.approx(expected, abs=0.01)
    onnx_graph.trim(model)
    assert np.expm1(summary(model, "log_nnz")) == pytest.approx(expected, abs=0.01)
    assert summary(model, "effective_share") == 1.0


def test_many_inputs_are_told_apart_by_samples():
    wide = (np.random.default_rng(0).random((300, 3000)) < 0.01).astype(np.float32)
    last = (np.random.default_rng(1).random((10, 300)) < 0.1).astype(np.float32)
    text = "(float[N,3000] x) => (float[N,10] y) { h = Gemm<transB = 1>(x, a) y = Gemm<transB = 1>(h, b) }"
    model = network(text, a=wide, b=last)
    reached = (last @ wide > 0).mean()
    assert summary(model, "path_fraction") == pytest.approx(reached, abs=0.1)
    assert summary(model, "log_paths") == pytest.approx(log((last @ wide).sum()), abs=1e-3)


BETWEEN = {
    "cumulated": "o = CumSum(h, one)",
    "cumulated before": "o = CumSum<exclusive=1>(h, one)",
    "cumulated backwards": "o = CumSum<reverse=1>(h, one)",
    "padded": "p = Pad(h, pads) s = Slice(p, first, last, axis) o = Relu(s)",
    "expanded": "u = Unsqueeze(h, last_axis) e = Expand(u, wide) o = ReduceSum<keepdims=0>(e, last_axis)",
    "mean and variance": "i = Reshape(h, image) n = MeanVarianceNormalization(i) o = Reshape(n, flat)",
    "local response": "i = Reshape(h, image) n = LRN<size=3>(i) o = Reshape(n, flat)",
}
CONSTANTS = {
    "one": np.array(1),
    "pads": np.array([0, 1, 0, 0]),
    "first": np.array([0]),
    "last": np.array([4]),
    "axis": np.array([1]),
    "last_axis": np.array([2]),
    "wide": np.array([1, 1, 3]),
    "image": np.array([0, 4, 1, 1]),
    "flat": np.array([0, 4]),
}


@pytest.mark.parametrize("body", BETWEEN.values(), ids=BETWEEN.keys())
@pytest.mark.parametrize("unit", range(4))
def test_live_connections_are_those_of_the_graph(body, unit):
    """One input through one of four units, and one weight behind: both engines say the same of each pair."""
    for read in range(4):
        text = f"(float[N,1] x) => (float[N,1] y) {{ h = Gemm<transB = 1>(x, a) {body} y = Gemm<transB = 1>(o, b) }}"
        used = {name: value for name, value in CONSTANTS.items() if f"{name})" in body or f"{name}," in body}
        model = constants_network(text, used, np.eye(4)[:, [unit]], np.eye(4)[[read]])
        counted = sum(sum(record.effective) for record in flow_of(model).records.values())
        assert counted == sum(int(mask.sum()) for mask in onnx_graph.effective_masks(model).values())


def test_a_running_sum_keeps_both_weights_alive():
    text = (
        "(float[N,1] x) => (float[N,1] y) { h = Gemm<transB = 1>(x, a) o = CumSum(h, one) y = Gemm<transB = 1>(o, b) }"
    )
    model = constants_network(text, {"one": np.array(1)}, np.eye(2)[:, [0]], np.eye(2)[[1]])
    assert sorted(record.effective for record in flow_of(model).records.values()) == [[1], [1]]


def constants_network(text: str, constants: dict[str, np.ndarray], a: np.ndarray, b: np.ndarray) -> ir.Model:
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g {text}')
    weights = {"a": a.astype(np.float32), "b": b.astype(np.float32)}
    proto.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in {**weights, **constants}.items()
    )
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def test_weights_behind_an_unknown_operator_keep_their_connections():
    text = "(float[N,2,4,4] x) => (float[N,3] y) { c = Conv(x, k)  m = Mystery(c)  d = Conv(m, l)  y = ReduceMean<keepdims = 0>(d, axes) }"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]> g {text}')
    arrays = {"k": np.eye(4)[:, :2, None, None], "l": np.eye(4)[:3, :, None, None]}
    proto.graph.initializer.extend(
        numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()
    )
    proto.graph.initializer.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    graph = encode(ir.from_proto(proto))
    assert np.expm1(graph.summary[GRAPH_FEATURES.index("log_nnz")]) == pytest.approx(2 + 3, abs=1e-3)
