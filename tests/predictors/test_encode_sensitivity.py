"""What must change the encoding: every attribute that changes the function, every edit of a mask."""
# ruff: noqa: E501

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

from predictors.features.encoder import encode
from predictors.features.graph_features import GRAPH_FEATURES
from predictors.features.node_features import NODE_FEATURES
from predictors.structure_graph import StructureGraph


def network(text: str, *, opset: int = 17, **weights: np.ndarray) -> ir.Model:
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}, "other" : 1]> g {text}')
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def same(first: StructureGraph, second: StructureGraph) -> bool:
    return (
        np.array_equal(first.operators, second.operators)
        and np.array_equal(first.features, second.features)
        and np.array_equal(first.edges, second.edges)
        and np.array_equal(first.summary, second.summary)
    )


def mask(rows: int, columns: int, density: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((rows, columns)) < density).astype(np.float32)


IMAGE = "(float[N,4,9,9] x) => (float[N,a,b,c] y)"
ROWS = "(float[N,4,5] x) => (float[N,a,b] y)"
SERIES = "(float[7,N,3] x) => (float[7,D,N,4] y)"
CASES = [
    (IMAGE, "y = Conv<pads = [1,1,1,1]>(x, k)", "y = Conv<pads = [1,1,1,1], group = 2>(x, kg)", "group"),
    (IMAGE, "y = Conv<pads = [1,1,1,1]>(x, k)", "y = Conv<pads = [2,0,0,2]>(x, k)", "pads"),
    (IMAGE, "y = Conv<pads = [1,1,1,1]>(x, k)", "y = Conv<pads = [2,2,2,2], dilations = [2,2]>(x, k)", "dilations"),
    (IMAGE, "y = Conv<strides = [2,1]>(x, k)", "y = Conv<strides = [1,2]>(x, k)", "strides"),
    (IMAGE, "y = Conv(x, k)", 'y = Conv<auto_pad = "SAME_UPPER">(x, k)', "auto_pad"),
    (IMAGE, "y = Conv<pads = [0,1,0,1]>(x, k31)", "y = Conv<pads = [1,0,1,0]>(x, k13)", "kernel_shape"),
    (IMAGE, "y = ConvTranspose<strides = [2,2]>(x, k)", "y = ConvTranspose<strides = [2,2], output_padding = [1,1]>(x, k)", "output_padding"),
    (IMAGE, "y = ConvTranspose(x, k)", "y = ConvTranspose<group = 2>(x, kg)", "transposed-group"),
    (IMAGE, "y = Conv(x, k)", "y = ConvTranspose<pads = [2,2,2,2]>(x, k)", "transposed"),
    (IMAGE, "y = MaxPool<kernel_shape = [2,2], strides = [2,2]>(x)", "y = MaxPool<kernel_shape = [2,2], strides = [2,2], ceil_mode = 1>(x)", "ceil_mode"),
    (IMAGE, "y = MaxPool<kernel_shape = [3,3], pads = [1,1,1,1]>(x)", "y = MaxPool<kernel_shape = [3,3], pads = [2,2,2,2], dilations = [2,2]>(x)", "pool-dilations"),
    (IMAGE, "y = AveragePool<kernel_shape = [3,3], pads = [1,1,1,1]>(x)", "y = AveragePool<kernel_shape = [3,3], pads = [1,1,1,1], count_include_pad = 1>(x)", "count_include_pad"),
    (IMAGE, "y = AveragePool<kernel_shape = [3,3]>(x)", "y = MaxPool<kernel_shape = [3,3]>(x)", "pool"),
    (IMAGE, "y = LpPool<kernel_shape = [3,3]>(x)", "y = LpPool<kernel_shape = [3,3], p = 1>(x)", "p"),
    (IMAGE, "y = GlobalAveragePool(x)", "y = GlobalMaxPool(x)", "global"),
    (IMAGE, "y = LRN<size = 3>(x)", "y = LRN<size = 5>(x)", "size"),
    (IMAGE, "y = LRN<size = 3>(x)", "y = LRN<size = 3, beta = 0.5>(x)", "beta"),
    (IMAGE, "y = DepthToSpace<blocksize = 2>(x)", 'y = DepthToSpace<blocksize = 2, mode = "CRD">(x)', "mode"),
    (IMAGE, 'y = Pad<mode = "constant">(x, pads)', 'y = Pad<mode = "reflect">(x, pads)', "pad-mode"),
    (IMAGE, "y = Transpose<perm = [0,1,3,2]>(x)", "y = Transpose<perm = [0,1,2,3]>(x)", "perm"),
    (IMAGE, "y = Resize<mode = \"nearest\">(x, , scales)", "y = Resize<mode = \"linear\">(x, , scales)", "resize-mode"),
    (IMAGE, "y = ReduceMean<axes = [2]>(x)", "y = ReduceMean<axes = [3]>(x)", "axes"),
    (IMAGE, "y = ReduceMean<axes = [2]>(x)", "y = ReduceMax<axes = [2]>(x)", "reduction"),
    (IMAGE, "a = Relu(x) y = Concat<axis = 2>(x, a)", "a = Relu(x) y = Concat<axis = 3>(x, a)", "concat-axis"),
    (IMAGE, "y = Softmax<axis = 1>(x)", "y = Softmax<axis = 2>(x)", "axis"),
    (IMAGE, "y = Softmax(x)", "y = LogSoftmax(x)", "log-softmax"),
    (IMAGE, "y = LayerNormalization<axis = 3>(x, nine)", "y = LayerNormalization<axis = 2>(x, nine9)", "norm-axis"),
    (IMAGE, "a, y = Split<axis = 1>(x, first)", "y, a = Split<axis = 1>(x, first)", "split-part"),
    (IMAGE, "y = Slice(x, zero, two, one)", "y = Slice(x, one, three, one)", "slice-start"),
    (IMAGE, "y = Slice(x, zero, two, one)", "y = Slice(x, zero, two, two)", "slice-axis"),
    (IMAGE, "y = Gather<axis = 1>(x, pair)", "y = Gather<axis = 1>(x, riap)", "gather-indices"),
    (ROWS, "y = LeakyRelu<alpha = 0.1>(x)", "y = LeakyRelu<alpha = 0.2>(x)", "alpha"),
    (ROWS, "y = Relu(x)", "y = Elu(x)", "activation"),
    (ROWS, "y = Elu<alpha = 0.5>(x)", "y = Elu(x)", "default-alpha"),
    (ROWS, "y = Clip(x, low, six)", "y = Clip(x, low, one0)", "max"),
    (ROWS, "y = Clip(x, low)", "y = Clip(x, , low)", "min-or-max"),
    (ROWS, "y = CumSum(x, two0)", "y = CumSum<reverse = 1>(x, two0)", "reverse"),
    (ROWS, "y = ArgMax<axis = 1>(x)", "y = ArgMax<axis = 1, select_last_index = 1>(x)", "select_last_index"),
    (ROWS, "y = Add(x, x)", "y = Mul(x, x)", "arithmetic"),
    (ROWS, "y = Add(x, row)", "y = Mul(x, row)", "arithmetic-with-a-constant"),
    (ROWS, "y = Sub(x, row)", "y = Sub(row, x)", "side-of-a-constant"),
    (ROWS, "y = Pow(x, two1)", "y = Pow(x, three1)", "exponent"),
    (ROWS, "y = other.Warp<k = 1>(x)", "y = other.Warp<k = 2>(x)", "unknown-attribute"),
    ("(float[N,5] x) => (float[N,6] y)", "y = Gemm(x, w)", "y = Gemm<alpha = 0.5>(x, w)", "gemm-alpha"),
    ("(float[N,6] x) => (float[N,6] y)", "y = Gemm(x, s)", "y = Gemm<transB = 1>(x, s)", "transB"),
    ("(float[N,6] x, float[6,N] z) => (float[a,b] y)", "y = Gemm(x, z)", "y = Gemm<transA = 1>(z, x)", "transA"),
    (SERIES, "y, h = RNN<hidden_size = 4>(x, wi, wh)", 'y, h = RNN<hidden_size = 4, direction = "reverse">(x, wi, wh)', "direction"),
    (SERIES, "y, h = RNN<hidden_size = 4>(x, wi, wh)", 'y, h = RNN<hidden_size = 4, activations = ["Relu"]>(x, wi, wh)', "activations"),
    (SERIES, "y, h = RNN<hidden_size = 4>(x, wi, wh)", "y, h = RNN<hidden_size = 4, clip = 1.0>(x, wi, wh)", "clip"),
    (SERIES, "y, h = GRU<hidden_size = 4>(x, gi, gh)", "y, h = GRU<hidden_size = 4, linear_before_reset = 1>(x, gi, gh)", "linear_before_reset"),
    (SERIES, "y, h = RNN<hidden_size = 4>(x, wi, wh)", "h, y = RNN<hidden_size = 4>(x, wi, wh)", "last-step-alone"),
]  # fmt: skip
CONSTANTS = {
    "k": np.ones((4, 4, 3, 3), np.float32),
    "kg": np.ones((4, 2, 3, 3), np.float32),
    "k13": np.ones((4, 4, 3, 1), np.float32),
    "k31": np.ones((4, 4, 1, 3), np.float32),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "scales": np.array([1, 1, 2, 2], np.float32),
    "nine": np.ones(9, np.float32),
    "nine9": np.ones((9, 9), np.float32),
    "first": np.array([2, 2]),
    "zero": np.array([0]),
    "one": np.array([1]),
    "two": np.array([2]),
    "three": np.array([3]),
    "two0": np.array(2),
    "pair": np.array([0, 1]),
    "riap": np.array([1, 0]),
    "low": np.float32(-1),
    "six": np.float32(6),
    "one0": np.float32(1),
    "two1": np.array([2], np.float32),
    "three1": np.array([3], np.float32),
    "row": np.ones(5, np.float32),
    "w": np.ones((5, 6), np.float32),
    "s": mask(6, 6, 0.4, 11),
    "wi": np.ones((1, 4, 3), np.float32),
    "wh": np.ones((1, 4, 4), np.float32),
    "gi": np.ones((1, 12, 3), np.float32),
    "gh": np.ones((1, 12, 4), np.float32),
}


@pytest.mark.parametrize(
    ("signature", "first", "second"), [case[:3] for case in CASES], ids=[case[3] for case in CASES]
)
def test_every_attribute_changes_the_encoding(signature, first, second):
    if "(float[7,D,N,4]" in signature and "h, y" in second:
        signature = signature.replace("float[7,D,N,4]", "float[a,b,c,d]")
    constants = {name: np.asarray(array) for name, array in CONSTANTS.items()}
    opset = 22 if "count_include_pad" in second or "dilations" in second else 17
    graphs = [encode(network(f"{signature} {{ {body} }}", opset=opset, **constants)) for body in (first, second)]
    assert not same(*graphs)
    again = encode(network(f"{signature} {{ {second} }}", opset=opset, **constants))
    assert same(graphs[1], again)


MLP = """(float[N,16] x) => (float[N,4] y) {
    h = Gemm<transB = 1>(x, w1)  a = Relu(h)  i = Gemm<transB = 1>(a, w2)  c = Relu(i)  y = Gemm<transB = 1>(c, w3)
}"""
MASKS = {"w1": mask(12, 16, 0.3, 1), "w2": mask(12, 12, 0.3, 2), "w3": mask(4, 12, 0.5, 3)}


def edited(name: str, change) -> StructureGraph:
    array = MASKS[name].copy()
    change(array)
    return encode(network(MLP, **{**MASKS, name: array}))


@pytest.fixture(scope="module")
def reference() -> StructureGraph:
    return encode(network(MLP, **MASKS))


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("seed", range(10))
def test_rewiring_one_connection_changes_the_encoding(reference, name, seed):
    rng = np.random.default_rng(seed)

    def rewire(array: np.ndarray) -> None:
        row = rng.integers(len(array))
        kept, free = np.flatnonzero(array[row]), np.flatnonzero(array[row] == 0)
        array[row, rng.choice(kept)], array[row, rng.choice(free)] = 0, 1

    assert not same(reference, edited(name, rewire))


@pytest.mark.parametrize("name", MASKS)
def test_removing_one_connection_changes_the_summary(reference, name):
    def remove(array: np.ndarray) -> None:
        row, column = np.argwhere(array)[len(array) // 2]
        array[row, column] = 0

    graph = edited(name, remove)
    column = GRAPH_FEATURES.index("log_nnz")
    assert graph.summary[column] < reference.summary[column]


@pytest.mark.parametrize("pair", [(0, 1), (2, 7), (3, 11), (5, 6)])
@pytest.mark.parametrize("name", ["w1", "w2"])
def test_swapping_different_rows_changes_the_encoding(reference, name, pair):
    def swap(array: np.ndarray) -> None:
        array[list(pair)] = array[list(pair[::-1])]

    assert not same(reference, edited(name, swap))


def test_swapping_equal_rows_changes_nothing(reference):
    def swap(array: np.ndarray) -> None:
        array[[0, 1]] = array[[1, 0]]

    equal = MASKS["w2"].copy()
    equal[1] = equal[0]
    before = encode(network(MLP, **{**MASKS, "w2": equal}))
    equal[[0, 1]] = equal[[1, 0]]
    assert same(before, encode(network(MLP, **{**MASKS, "w2": equal})))
    assert not same(reference, before)


def test_even_a_regular_network_feels_which_units_it_joins():
    # Every unit has two inputs and two outputs before and after: only overlaps and reach tell the wirings apart.
    ring = np.zeros((8, 8), np.float32)
    for row in range(8):
        ring[row, [row, (row + 1) % 8]] = 1
    pairs = np.kron(np.eye(4), np.ones((2, 2))).astype(np.float32)
    text = "(float[N,8] x) => (float[N,8] y) { h = Gemm<transB = 1>(x, a) y = Gemm<transB = 1>(h, b) }"
    graphs = [
        encode(network(text, a=first, b=second)) for first, second in ((ring, ring), (ring, pairs), (pairs, pairs))
    ]
    reach = [graph.summary[GRAPH_FEATURES.index("path_fraction")] for graph in graphs]
    # ring ∘ ring: 3 inputs an output; pairs ∘ ring: 3; pairs ∘ pairs: 2.
    assert reach == pytest.approx([3 / 8, 3 / 8, 2 / 8])
    assert not same(graphs[0], graphs[1])


def test_one_kernel_position_of_a_convolution_changes_the_encoding():
    kernel = (np.random.default_rng(0).random((6, 4, 3, 3)) < 0.5).astype(np.float32)
    other = kernel.copy()
    other[2, 1, 0, 0] = 1 - other[2, 1, 0, 0]
    text = "(float[N,4,8,8] x) => (float[N,6,6,6] y) { y = Conv(x, k) }"
    assert not same(encode(network(text, k=kernel)), encode(network(text, k=other)))


def test_one_recurrent_connection_changes_the_encoding():
    recurrent = (np.random.default_rng(0).random((1, 8, 8)) < 0.3).astype(np.float32)
    other = recurrent.copy()
    row, column = np.argwhere(recurrent[0])[5]
    other[0, row, column] = 0
    other[0, row, np.flatnonzero(recurrent[0, row] == 0)[0]] = 1
    text = "(float[7,N,3] x) => (float[7,1,N,8] y) { y = RNN<hidden_size = 8>(x, w, r) }"
    weight = np.ones((1, 8, 3), np.float32)
    first, second = (encode(network(text, w=weight, r=array)) for array in (recurrent, other))
    assert not np.array_equal(first.features, second.features)
    assert first.features[1, NODE_FEATURES.index("recurrent_spectral_radius")] > 0


def test_dead_connections_change_nothing():
    dead = {name: array.copy() for name, array in MASKS.items()}
    dead["w2"][:, 3] = 0  # nothing reads unit 3 of the first layer
    cut = {name: array.copy() for name, array in dead.items()}
    cut["w1"][3] = 0
    one, other = encode(network(MLP, **dead)), encode(network(MLP, **cut))
    assert dead["w1"][3].any()
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name], err_msg=name)
