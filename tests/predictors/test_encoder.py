"""Changes that must not affect the encoding: names, order, values of non-zeros, other notations of the same network."""

import re
import tracemalloc

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

import onnx_graph
from predictors.features.encoder import encode
from predictors.features.graph_features import GRAPH_FEATURES
from predictors.features.node_features import NODE_FEATURES
from predictors.reading.operators import CLASSES
from predictors.structure_graph import StructureGraph


def network(text: str, *, opset: int = 17, **weights: np.ndarray) -> ir.Model:
    """A model from ONNX text, with arrays as initializers and shapes inferred."""
    header = f'<ir_version: 8, opset_import: ["" : {opset}, "other" : 1]>'
    proto = onnx.parser.parse_model(f"{header} g {text}")
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def mask(rows: int, columns: int, density: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((rows, columns)) < density).astype(np.float32)


def assert_same(first: StructureGraph, second: StructureGraph) -> None:
    assert [CLASSES[kind] for kind in first.operators] == [CLASSES[kind] for kind in second.operators]
    np.testing.assert_array_equal(first.edges, second.edges)
    for row in range(len(first.operators)):
        different = np.flatnonzero(first.features[row] != second.features[row])
        assert not len(different), (CLASSES[first.operators[row]], [NODE_FEATURES[column] for column in different])
    different = np.flatnonzero(first.summary != second.summary)
    assert not len(different), [GRAPH_FEATURES[column] for column in different]
    assert (first.units is None) == (second.units is None)
    if first.units is not None and second.units is not None:
        for name, value in vars(first.units).items():
            np.testing.assert_array_equal(value, getattr(second.units, name), err_msg=f"units: {name}")


W1, W2, W3 = mask(12, 8, 0.4, 1), mask(12, 12, 0.4, 2), mask(4, 12, 0.6, 3)
B1, B2, B3 = np.zeros(12, np.float32), np.zeros(12, np.float32), np.zeros(4, np.float32)
MLP = """(float[N,8] x) => (float[N,4] y) {
    h = Gemm<transB = 1>(x, w1, b1)
    a = Relu(h)
    i = Gemm<transB = 1>(a, w2, b2)
    c = Relu(i)
    y = Gemm<transB = 1>(c, w3, b3)
}"""
WEIGHTS = {"w1": W1, "w2": W2, "w3": W3, "b1": B1, "b2": B2, "b3": B3}


@pytest.fixture(scope="module")
def reference() -> StructureGraph:
    return encode(network(MLP, **WEIGHTS))


def test_the_arrays_have_the_documented_shapes(reference):
    assert [CLASSES[kind] for kind in reference.operators] == [
        *("input", "dense", "rectifier", "dense", "rectifier", "dense", "output")
    ]
    assert reference.features.shape == (7, len(NODE_FEATURES))
    assert reference.features.dtype == reference.summary.dtype == np.float32
    assert reference.operators.dtype == reference.edges.dtype == np.int64
    assert reference.summary.shape == (len(GRAPH_FEATURES),)
    assert reference.edges.tolist() == [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]
    assert reference.unknown == ()
    assert len(set(NODE_FEATURES)) == len(NODE_FEATURES)
    assert len(set(GRAPH_FEATURES)) == len(GRAPH_FEATURES)


def test_the_model_is_left_as_it_was():
    model = network(MLP, **WEIGHTS)
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    encode(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


def test_values_of_non_zeros_do_not_matter(reference):
    rng = np.random.default_rng(0)
    other = {
        name: (array * rng.normal(size=array.shape)).astype(np.float32)
        if name.startswith("w")
        else rng.normal(size=array.shape).astype(np.float32)
        for name, array in WEIGHTS.items()
    }
    assert_same(reference, encode(network(MLP, **other)))


def test_names_do_not_matter(reference):
    text = re.sub(r"\b([haic])\b", r"zz_\1", MLP)
    renamed = {f"q{name}": array for name, array in WEIGHTS.items()}
    text = re.sub(r"\b([wb]\d)\b", r"q\1", text)
    assert_same(reference, encode(network(text, **renamed)))


def test_transposed_storage_is_the_same(reference):
    text = MLP.replace("<transB = 1>(x", "(x").replace("<transB = 1>(c", "<transB = 0>(c")
    assert_same(reference, encode(network(text, **{**WEIGHTS, "w1": W1.T.copy(), "w3": W3.T.copy()})))


def test_matmul_and_add_are_a_gemm(reference):
    text = MLP.replace("h = Gemm<transB = 1>(x, w1, b1)", "p = MatMul(x, w1) h = Add(p, b1)").replace(
        "y = Gemm<transB = 1>(c, w3, b3)", "q = MatMul(c, w3) y = Add(b3, q)"
    )
    assert_same(reference, encode(network(text, **{**WEIGHTS, "w1": W1.T.copy(), "w3": W3.T.copy()})))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a = Relu(h)", "h0 = Identity(h) a = Relu(h0)"),
        ("a = Relu(h)", "h0 = Relu(h) a = Dropout(h0)"),
        ("a = Relu(h)", "h0 = Cast<to = 1>(h) a = Relu(h0)"),
        ("a = Relu(h)", "h0 = Relu(h) a = Flatten(h0)"),
        ("y = Gemm", "unused = Tanh(c) y = Gemm"),
        ("h = Gemm<transB = 1>(x, w1, b1)", "v = Identity(w1) h = Gemm<transB = 1>(x, v, b1)"),
        ("h = Gemm<transB = 1>(x, w1, b1)", "h = Gemm<transB = 1, alpha = 1.0, beta = 1.0, transA = 0>(x, w1, b1)"),
    ],
    ids=["identity", "dropout", "cast", "flatten", "unused", "shared-initializer", "defaults-spelt-out"],
)
def test_what_does_nothing_does_not_matter(reference, old, new):
    assert old in MLP
    assert_same(reference, encode(network(MLP.replace(old, new), **WEIGHTS)))


def test_a_mask_multiplied_in_the_graph_is_the_same_as_baked(reference):
    text = MLP.replace("h = Gemm<transB = 1>(x, w1, b1)", "v = Mul(full, m) h = Gemm<transB = 1>(x, v, b1)")
    weights = {name: array for name, array in WEIGHTS.items() if name != "w1"}
    full = np.random.default_rng(5).uniform(0.5, 1.0, W1.shape).astype(np.float32)
    assert_same(reference, encode(network(text, full=full, m=W1, **weights)))


def test_a_constant_node_is_an_initializer(reference):
    literal = ", ".join(f"{value:.1f}" for value in W3.ravel())
    text = MLP.replace("y = Gemm", f"w3 = Constant<value = float[4,12] {{{literal}}}>() y = Gemm")
    assert_same(reference, encode(network(text, **{name: array for name, array in WEIGHTS.items() if name != "w3"})))


def test_equal_weights_stored_once_are_the_same_as_stored_twice():
    text = MLP.replace("Gemm<transB = 1>(a, w2, b2)", "Gemm<transB = 1>(a, w2, b2) d = Relu(i)").replace(
        "c = Relu(i)", "e = Gemm<transB = 1>(d, again, b2) c = Relu(e)"
    )
    once = encode(network(text.replace("again", "w2"), **WEIGHTS))
    twice = encode(network(text.replace("again", "w4"), w4=W2.copy(), **WEIGHTS))
    np.testing.assert_array_equal(once.features, twice.features)
    # Two weights where there was one: the totals say so.
    assert once.summary[0] == np.float32(np.log1p((W1 != 0).sum() + (W2 != 0).sum() + (W3 != 0).sum()))
    assert twice.summary[0] == np.float32(np.log1p((W1 != 0).sum() + 2 * (W2 != 0).sum() + (W3 != 0).sum()))


BRANCHES = """(float[N,8] x) => (float[N,4] y) {{
    {0}
    s = Add({1})
    y = Gemm<transB = 1>(s, w3, b3)
}}"""
FIRST = "p = Gemm<transB = 1>(x, w1, b1) a = Relu(p)"
SECOND = "q = Gemm<transB = 1>(x, w4, b1) b = Tanh(q)"


def test_the_order_of_nodes_does_not_matter():
    weights = {"w1": W1, "w4": mask(12, 8, 0.4, 9), "w3": W3, "b1": B1, "b3": B3}
    first = encode(network(BRANCHES.format(f"{FIRST} {SECOND}", "a, b"), **weights))
    second = encode(network(BRANCHES.format(f"{SECOND} {FIRST}", "b, a"), **weights))
    assert_same(first, second)
    assert first.edges.shape == (2, 8)


@pytest.mark.parametrize("density", [0.3, 1.0])
def test_order_among_equal_branches_does_not_matter(density):
    branch = mask(12, 8, density, 1)
    other = mask(12, 8, density, 4)
    lines = [f"p{n} = Gemm<transB = 1>(x, w{n}, b1) a{n} = Relu(p{n})" for n in range(6)]
    weights = {f"w{n}": (branch if n % 2 else other).copy() for n in range(6)} | {"wo": W3, "b1": B1, "b3": B3}
    graphs = []
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 4, 2]):
        body = " ".join(lines[n] for n in order)
        text = f"(float[N,8] x) => (float[N,4] y) {{ {body} s = Sum({', '.join(f'a{n}' for n in order)})"
        graphs.append(encode(network(f"{text} y = Gemm<transB = 1>(s, wo, b3) }}", **weights)))
    assert_same(*graphs)


CONV = """(float[N,3,8,8] x) => (float[N,6,4,4] y) {{
    c = Conv<kernel_shape = [3,3], strides = [2,2] {0}>(x, k{1})
    {2}
}}"""
KERNEL = (np.random.default_rng(7).random((6, 3, 3, 3)) < 0.5).astype(np.float32)


def test_auto_pad_is_the_same_as_the_pads_it_stands_for():
    # 8 places, stride 2, window 3: 4 places need (4 − 1) · 2 + 3 − 8 = 1 pad, the upper end gets it.
    same = encode(network(CONV.format(', auto_pad = "SAME_UPPER"', "", "y = Relu(c)"), k=KERNEL))
    spelt = encode(network(CONV.format(", pads = [0,0,1,1]", "", "y = Relu(c)"), k=KERNEL))
    lower = encode(network(CONV.format(', auto_pad = "SAME_LOWER"', "", "y = Relu(c)"), k=KERNEL))
    assert_same(same, spelt)
    assert not np.array_equal(same.features, lower.features)


def test_folded_batch_norm_differs_in_its_flag_alone():
    ones = np.ones(6, np.float32)
    norm = "n = BatchNormalization(c, g, g, g, g) y = Relu(n)"
    loose = encode(network(CONV.format(", pads = [0,0,1,1]", "", norm), k=KERNEL, g=ones))
    folded = encode(network(CONV.format(", pads = [0,0,1,1]", ", g", "y = Relu(c)"), k=KERNEL, g=ones))
    assert [CLASSES[kind] for kind in loose.operators] == ["input", "conv", "rectifier", "output"]
    row, column = np.nonzero(loose.features != folded.features)
    assert [(int(at), NODE_FEATURES[name]) for at, name in zip(row, column, strict=True)] == [(1, "normalised")]
    np.testing.assert_array_equal(loose.summary, folded.summary)


def test_a_convolution_over_its_whole_input_is_dense():
    kernel = (np.random.default_rng(3).random((5, 2, 3, 3)) < 0.5).astype(np.float32)
    conv = encode(
        network("(float[N,2,3,3] x) => (float[N,5] y) { c = Conv(x, k) y = Flatten(c) }", k=kernel.astype(np.float32))
    )
    gemm = encode(
        network(
            "(float[N,2,3,3] x) => (float[N,5] y) { f = Flatten(x) y = Gemm<transB = 1>(f, k) }",
            k=kernel.reshape(5, 18),
        )
    )
    assert_same(conv, gemm)


OLD_AND_NEW = {
    "clip": ("y = Clip<min = 0.0, max = 6.0>(x)", 6, "y = Clip(x, low, high)", 13),
    "pad": ("y = Pad<pads = [0,0,1,1,0,0,1,1]>(x)", 10, "y = Pad(x, pads)", 17),
    "reduce": ("y = ReduceSum<axes = [2,3]>(x)", 11, "y = ReduceSum(x, axes)", 17),
    "squeeze": (
        "a = ReduceMean<axes = [3]>(x) y = Squeeze<axes = [3]>(a)",
        11,
        "y = ReduceMean<keepdims = 0>(x, last)",
        18,
    ),
    "softmax": ("f = Flatten(x) y = Softmax(f)", 11, "f = Flatten(x) y = Softmax<axis = -1>(f)", 17),
    "split": ("y, z = Split<axis = 1, split = [1,2]>(x)", 11, "y, z = Split<axis = 1>(x, parts)", 13),
    "slice": ("y = Slice<axes = [1], starts = [0], ends = [2]>(x)", 9, "y = Slice(x, start, end, axis)", 13),
    "dropout": ("d = Dropout<ratio = 0.3>(x) y = Relu(d)", 11, "d = Dropout(x, rate) y = Relu(d)", 17),
    "leaky": ("y = LeakyRelu(x)", 6, "y = LeakyRelu<alpha = 0.01>(x)", 17),
}
CONSTANTS = {
    "low": np.float32(0.0),
    "high": np.float32(6.0),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "axes": np.array([2, 3]),
    "last": np.array([-1]),
    "parts": np.array([1, 2]),
    "start": np.array([0]),
    "end": np.array([2]),
    "axis": np.array([1]),
    "rate": np.float32(0.3),
}


@pytest.mark.parametrize("name", OLD_AND_NEW)
def test_old_and_new_opsets_say_the_same(name):
    old, before, new, after = OLD_AND_NEW[name]
    outputs = "(y, z)" if name == "split" else "(y)"
    graphs = []
    for body, opset in ((old, before), (new, after)):
        used = {key: np.asarray(value) for key, value in CONSTANTS.items() if re.search(rf"\b{key}\b[,)]", body)}
        graphs.append(encode(network(f"(float[N,3,8,8] x) => {outputs} {{ {body} }}", opset=opset, **used)))
    assert_same(*graphs)
    assert len(graphs[0].operators) >= 3


def test_a_perceptron_of_images_is_that_of_rows():
    images = "(float[N,2,2,2] x) => (float[N,4] y) { f = Flatten(x) h = Gemm<transB = 1>(f, w) a = Relu(h) y = Gemm<transB = 1>(a, v) }"
    rows = "(float[N,8] x) => (float[N,4] y) { h = Gemm<transB = 1>(x, w) a = Relu(h) y = Gemm<transB = 1>(a, v) }"
    assert_same(encode(network(images, w=W1, v=W3)), encode(network(rows, w=W1, v=W3)))


@pytest.mark.parametrize(
    "body",
    [
        "(float[N,1,8] x) => (float[N,1,4] y) { h = MatMul(x, a) r = Relu(h) y = MatMul(r, b) }",
        "(float[N,1,8] x) => (float[N,4] y) { f = Flatten(x) s = Flatten(x) h = MatMul(f, a) i = MatMul(s, a) r = Add(h, i) "
        "y = MatMul(r, b) }",
    ],
    ids=["product", "two-readers"],
)
def test_axes_of_length_one_change_nothing_that_flows(body):
    flat = "(float[N,8] x) => (float[N,4] y) { h = MatMul(x, a) r = Relu(h) y = MatMul(r, b) }"
    names = ("path_fraction", "output_reach_min", "log_paths", "output_participation")
    places = [GRAPH_FEATURES.index(name) for name in names[:2]]
    found = [encode(network(text, a=W1.T.copy(), b=W3.T.copy())) for text in (body, flat)]
    np.testing.assert_array_equal(found[0].summary[places], found[1].summary[places])
    assert found[0].units is not None
    assert found[1].units is not None
    if "Relu" in body:
        assert found[0].units.edges.shape == found[1].units.edges.shape


def test_an_input_that_is_an_output_too_keeps_its_shape():
    text = "(float[N,2,2,2] x) => (float[N,12] y, float[N,2,2,2] z) { f = Flatten(x) y = Gemm<transB = 1>(f, w) z = Relu(x) }"
    graph = encode(network(text, w=W1))
    place = [CLASSES[kind] for kind in graph.operators].index("input")
    assert graph.features[place, NODE_FEATURES.index("rank")] == 3  # axes longer than 1


def test_two_outputs_are_the_same_in_any_order_of_nodes():
    first = "h = Gemm<transB = 1>(x, w1) a = Relu(h) y = Gemm<transB = 1>(a, w2) z = Gemm<transB = 1>(a, w3)"
    second = "h = Gemm<transB = 1>(x, w1) a = Relu(h) z = Gemm<transB = 1>(a, w3) y = Gemm<transB = 1>(a, w2)"
    weights = {"w1": W1, "w2": W2, "w3": W3}
    found = [
        encode(network(f"(float[N,8] x) => ({outputs}) {{ {body} }}", **weights))
        for body, outputs in (
            (first, "float[N,12] y, float[N,4] z"),
            (second, "float[N,12] y, float[N,4] z"),
            (second, "float[N,4] z, float[N,12] y"),
        )
    ]
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])
    assert found[0].summary[GRAPH_FEATURES.index("way_log_number_0")] == pytest.approx(np.log(2))


def test_a_dynamic_flatten_is_a_flatten():
    weight = mask(10, 48, 0.5, 4)
    dynamic = """(float[N,3,4,4] x) => (float[N,10] y) {
        s = Shape(x)  n = Gather<axis = 0>(s, zero)  u = Unsqueeze(n, ax)
        t = Concat<axis = 0>(u, minus)  f = Reshape(x, t)  y = Gemm<transB = 1>(f, w)
    }"""
    plain = "(float[N,3,4,4] x) => (float[N,10] y) { f = Flatten(x) y = Gemm<transB = 1>(f, w) }"
    constants = {"zero": np.array(0), "ax": np.array([0]), "minus": np.array([-1])}
    assert_same(encode(network(dynamic, w=weight, **constants)), encode(network(plain, w=weight)))


LAYER_NORM = """m = ReduceMean<axes = [-1]>(x)  d = Sub(x, m)  q = Pow(d, two)  v = ReduceMean<axes = [-1]>(q)
    e = Add(v, eps)  r = Sqrt(e)  n = Div(d, r)  g = Mul(n, scale)  y = Add(g, shift)"""
ERF = "d = Div(x, c)  e = Erf(d)  p = Add(e, one)"


@pytest.mark.parametrize(
    ("decomposed", "joined", "opset"),
    [
        (LAYER_NORM, "y = LayerNormalization(x, scale, shift)", 17),
        (f"{ERF}  m = Mul(x, p)  y = Mul(m, half)", "y = Gelu(x)", 20),
        (f"{ERF}  h = Mul(x, half)  y = Mul(h, p)", "y = Gelu(x)", 20),
        (f"{ERF}  h = Mul(p, half)  y = Mul(x, h)", "y = Gelu(x)", 20),
        ("s = HardSigmoid<alpha = 0.1666667, beta = 0.5>(x)  y = Mul(x, s)", "y = HardSwish(x)", 17),
    ],
    ids=["layer-norm", "gelu-half-last", "gelu-half-first", "gelu-half-inside", "hard-swish"],
)
def test_decompositions_are_one_operator(decomposed, joined, opset):
    constants = {
        **dict.fromkeys(("two", "eps", "c", "one", "half"), np.float32(0.5)),
        **dict.fromkeys(("scale", "shift"), np.ones(6, np.float32)),
    }
    graphs = []
    for body, version in ((decomposed, 17), (joined, opset)):
        used = {key: np.asarray(value) for key, value in constants.items() if re.search(rf"\b{key}\b[,)]", body)}
        graphs.append(encode(network(f"(float[N,5,6] x) => (float[N,5,6] y) {{ {body} }}", opset=version, **used)))
    assert len(graphs[0].operators) == 3
    assert_same(*graphs)


def test_saved_and_read_again_it_is_the_same(tmp_path, reference):
    onnx_graph.save(network(MLP, **WEIGHTS), tmp_path / "m.onnx")
    assert_same(reference, encode(tmp_path / "m.onnx"))
    assert_same(reference, encode(str(tmp_path / "m.onnx")))


def test_a_fixed_batch_is_the_same_as_a_free_one(reference):
    assert_same(reference, encode(network(MLP.replace("[N,", "[1,"), **WEIGHTS)))


def test_broken_files_raise_through(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(onnx_graph.InvalidModelError, match=r"broken\.onnx"):
        encode(tmp_path / "broken.onnx")


def test_unknown_operators_are_named_and_hashed():
    graph = encode(network("(float[N,4] x) => (float[N,4] y) { h = other.Warp(x) i = other.Bend(h) y = Relu(i) }"))
    assert graph.unknown == ("other::Bend", "other::Warp")
    kinds = [CLASSES[kind] for kind in graph.operators]
    assert kinds[0] == "input"
    assert all(kind.startswith("unknown_") for kind in kinds[1:3])
    again = encode(network("(float[N,4] x) => (float[N,4] y) { y = other.Warp(x) }"))
    assert again.operators[1] == graph.operators[1]
    assert graph.features[1, NODE_FEATURES.index("variant")] != graph.features[2, NODE_FEATURES.index("variant")]


def made_by_the_graph(rows: int, columns: int, fill: int) -> ir.Model:
    text = f"""(float[N, {rows}] x) => (float[N, {columns}] y) <int64[2] s = {{{rows}, {columns}}}> {{
        w = ConstantOfShape<value = float[1] {{{fill}}}>(s)
        y = MatMul(x, w)
    }}"""
    return network(text)


@pytest.mark.parametrize("fill", [0, 1])
def test_a_weight_that_the_graph_makes_is_as_one_in_the_file(fill):
    same = network("(float[N, 8] x) => (float[N, 5] y) { y = MatMul(x, w) }", w=np.full((8, 5), fill, np.float32))
    assert_same(encode(made_by_the_graph(8, 5, fill)), encode(same))


@pytest.mark.parametrize("fill", [0, 1])
def test_a_large_weight_that_the_graph_makes_takes_no_memory(fill):
    model = made_by_the_graph(2**14, 2**15, fill)
    tracemalloc.start()
    summary = encode(model).summary
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.expm1(summary[GRAPH_FEATURES.index("log_weights")]) == pytest.approx(2**29, rel=1e-4)
    assert peak < 2**28  # 2**29 numbers of one byte would be more


@pytest.mark.parametrize("fill", [0, 1])
def test_a_weight_of_absurd_size_is_refused(fill):
    with pytest.raises(
        onnx_graph.InvalidModelError, match=r"weight 'w' of node 'y' .* \[1048576, 1048576\], more than 2147483648"
    ):
        encode(made_by_the_graph(2**20, 2**20, fill))


def test_a_slice_of_everything_is_none():
    with_slice = """(float[N, 5] x) => (float[N, 2] y)
        <int64[1] zero = {0}, int64[1] end = {9223372036854775807}> {
        a = Slice(x, zero, end, zero)
        y = MatMul(a, w)
    }"""
    w = mask(5, 2, 0.6, 0)
    assert_same(
        encode(network(with_slice, w=w)),
        encode(network("(float[N, 5] x) => (float[N, 2] y) { y = MatMul(x, w) }", w=w)),
    )


_SQUARE = "<float[4,4] W = {1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1}>"
_STRANGE = {
    "no input": f"() => (float[2,4] y) {_SQUARE} {{ r = RandomNormal<shape=[2,4]>() y = MatMul(r, W) }}",
    "nothing read": "(float[N,0] x) => (float[N,5] y) <float[0,5] W = {}> { y = MatMul(x, W) }",
    "nothing made": "(float[N,4] x) => (float[N,0] y) <float[4,0] W = {}> { y = MatMul(x, W) }",
    "no feature left": "(float[N,4] x) => (float[N,5] y) <int64[1] s = {2}, int64[1] a = {1}, float[0,5] W = {}>"
    " { z = Slice(x, s, s, a) y = MatMul(z, W) }",
    "no example left": f"(float[N,4] x) => (float[N,4] y) {_SQUARE[:-1]}, int64[1] s = {{0}}, int64[1] a = {{0}}>"
    " { z = Slice(x, s, s, a) y = MatMul(z, W) }",
    "no channel left": f"(float[1,4,8,8] x) => (float[1,4,8,8] y) {_SQUARE.replace('[4,4]', '[4,4,1,1]')[:-1]},"
    " int64[1] s = {3}, int64[1] a = {1}> { u = Conv(x, W) z = Slice(u, s, s, a) y = Concat<axis=1>(z, u) }",
    "1e660 ways": f"(float[N,4] x) => (float[N,4] y) {_SQUARE} {{ h0 = MatMul(x, W) "
    + " ".join(f"r{i} = Relu(h{i}) h{i + 1} = Add(h{i}, r{i})" for i in range(2200))
    + " y = MatMul(h2200, W) }",
}


@pytest.mark.parametrize("name", _STRANGE)
def test_strange_networks_are_encoded(name):
    graph = encode(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 17]> net {_STRANGE[name]}'))
    assert np.isfinite(graph.features).all()
    assert np.isfinite(graph.summary).all()
