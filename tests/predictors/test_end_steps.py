"""A scaling of the inputs and a last softmax are not seen by predictors; steps that do more are."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

from predictors import StructureGraph, encode
from predictors.features.matrix import matrix
from predictors.reading.operators import CLASSES

RNG = np.random.default_rng(0)
CONSTANTS = {
    "w": (RNG.random((5, 12)) < 0.5).astype(np.float32),
    "v": (RNG.random((12, 12)) < 0.5).astype(np.float32),
    "k": (RNG.random((4, 3, 3, 3)) < 0.5).astype(np.float32),
    "c": (RNG.random((5, 4, 1, 1)) < 0.8).astype(np.float32),
    "zeros": np.zeros((1, 12), np.float32),
    "row": RNG.uniform(0.5, 2.0, 12).astype(np.float32),
    "gaps": np.array([0, 1] * 6, np.float32),
    "one": np.float32(1),
    "mean": RNG.random((3, 1, 1)).astype(np.float32),
    "pixels": RNG.random((1, 3, 6, 6)).astype(np.float32),
    "last": RNG.random((6, 6, 3)).astype(np.float32),
    "scales": np.broadcast_to(4 * np.eye(6, dtype=np.float32), (1, 3, 6, 6)).copy(),
    "blurs": np.ones((1, 3, 6, 6), np.float32),
    "wide": np.ones((2, 1, 12), np.float32),
    "axis": np.array([1]),
}
ROWS = "(float[N,12] x) => (float[N,5] y)"
IMAGES = "(float[N,3,6,6] x) => (float[N,5] y)"
PERCEPTRON = "h = Gemm(s, v) r = Relu(h) y = Gemm<transB = 1>(r, w)"
CONVOLUTION = "h = Conv(s, k) r = Relu(h) g = GlobalAveragePool(r) o = Conv(g, c) y = Flatten(o)"


def network(text: str, opset: int = 17) -> StructureGraph:
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> g {text}')
    used = {name: array for name, array in CONSTANTS.items() if f" {name}" in text or f"({name}" in text}
    proto.graph.initializer.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in used.items())
    return encode(ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True)))


def kinds(graph: StructureGraph) -> list[str]:
    return [CLASSES[kind] for kind in graph.operators]


def assert_same(first: StructureGraph, second: StructureGraph) -> None:
    assert kinds(first) == kinds(second)
    np.testing.assert_array_equal(first.edges, second.edges)
    np.testing.assert_array_equal(first.features, second.features)
    np.testing.assert_array_equal(matrix([first]), matrix([second]))


@pytest.mark.parametrize(
    "step",
    [
        "s = Sub(x, zeros)",
        "s = Sub(row, x)",
        "s = Add(one, x)",
        "s = Mul(x, row)",
        "s = Div(x, row)",
        "a = Sub(x, row) s = Div(a, row)",
        "a = Flatten(x) s = Mul(a, one)",
        "a = Sub(x, row) s = Flatten(a)",
    ],
)
def test_a_scaling_of_rows_is_not_seen(step):
    assert_same(network(f"{ROWS} {{ s = Identity(x) {PERCEPTRON} }}"), network(f"{ROWS} {{ {step} {PERCEPTRON} }}"))


@pytest.mark.parametrize(
    "step", ["s = Sub(x, mean)", "s = Div(x, pixels)", "a = Add(x, pixels) s = MatMul(a, scales)", "s = Mul(one, x)"]
)
def test_a_normalisation_of_images_is_not_seen(step):
    assert_same(
        network(f"{IMAGES} {{ s = Identity(x) {CONVOLUTION} }}"), network(f"{IMAGES} {{ {step} {CONVOLUTION} }}")
    )


def test_a_normalisation_before_the_channels_move_is_not_seen():
    signature = "(float[N,6,6,3] x) => (float[N,5] y)"
    plain = f"{signature} {{ s = Transpose<perm = [0,3,1,2]>(x) {CONVOLUTION} }}"
    scaled = f"{signature} {{ a = Sub(x, last) s = Transpose<perm = [0,3,1,2]>(a) {CONVOLUTION} }}"
    assert_same(network(plain), network(scaled))


@pytest.mark.parametrize(
    ("signature", "body", "seen"),
    [
        (ROWS, f"s = Mul(x, gaps) {PERCEPTRON}", "affine"),  # every second input is cut
        (ROWS, f"s = Div(row, x) {PERCEPTRON}", "affine"),
        (ROWS, f"s = Abs(x) {PERCEPTRON}", "pointwise"),
        (ROWS, f"a = Sub(x, row) s = Relu(a) {PERCEPTRON}", "affine"),
        (ROWS, "s = Sub(x, row) p = Mul(s, x) h = Gemm(p, v) r = Relu(h) y = Gemm<transB = 1>(r, w)", "affine"),
        (ROWS, "s = Sub(x, row) r = Relu(s) h = Gemm(s, v) t = Add(h, r) y = Gemm<transB = 1>(t, w)", "affine"),
        ("(float[N,12] x) => (float[2,N,12] y)", "s = Mul(x, wide) y = MatMul(s, v)", "affine"),
        ("(float[N,12] x) => (float[N,12] y)", "y = Mul(x, row)", "affine"),
        (IMAGES, f"s = MatMul(x, blurs) {CONVOLUTION}", "matmul"),
    ],
    ids=["mask", "inverse", "absolute", "not-linear", "product", "two-readers", "larger", "no-layer", "full-matrix"],
)
def test_a_step_that_no_layer_can_do_is_seen(signature, body, seen):
    assert seen in kinds(network(f"{signature} {{ {body} }}"))


@pytest.mark.parametrize(
    ("last", "opset"),
    [
        ("y = Softmax(p)", 17),
        ("y = LogSoftmax<axis = 1>(p)", 17),
        ("y = Softmax(p)", 11),
        ("a = Softmax(p) y = Flatten(a)", 17),
        ("a = Softmax(p) y = Identity(a)", 17),
    ],
)
def test_a_last_softmax_is_not_seen(last, opset):
    body = "h = Gemm(x, v) r = Relu(h) p = Gemm<transB = 1>(r, w)"
    plain = network(f"{ROWS} {{ {body} y = Identity(p) }}", opset)
    assert_same(plain, network(f"{ROWS} {{ {body} {last} }}", opset))


def test_a_last_softmax_over_the_channels_of_an_image_is_not_seen():
    signature, body = "(float[N,3,6,6] x) => (float[N,4,4,4] y)", "p = Conv(x, k)"
    plain = network(f"{signature} {{ {body} y = Identity(p) }}")
    assert_same(plain, network(f"{signature} {{ {body} y = Softmax<axis = 1>(p) }}"))
    assert_same(plain, network(f"{signature} {{ {body} y = Softmax(p) }}", 11))  # over all positions at once
    assert "softmax" in kinds(network(f"{signature} {{ {body} y = Softmax<axis = 3>(p) }}"))


def test_a_last_softmax_of_every_step_is_not_seen():
    signature, body = "(float[N,7,12] x) => (float[N,7,12] y)", "p = MatMul(x, v)"
    plain = network(f"{signature} {{ {body} y = Identity(p) }}")
    assert_same(plain, network(f"{signature} {{ {body} y = Softmax(p) }}"))
    assert "softmax" in kinds(network(f"{signature} {{ {body} y = Softmax<axis = 1>(p) }}"))


@pytest.mark.parametrize(
    "last",
    [
        "a = Softmax(p) y = Relu(a)",
        "a = Softmax(p) b = Relu(p) y = Mul(a, b)",
        "y = Hardmax(p)",
        "y = Softmax<axis = 0>(p)",
    ],
    ids=["read", "gate", "hard", "examples"],
)
def test_other_softmaxes_are_seen(last):
    graph = network(f"{ROWS} {{ h = Gemm(x, v) r = Relu(h) p = Gemm<transB = 1>(r, w) {last} }}")
    assert "softmax" in kinds(graph)


def test_the_softmax_of_one_number_is_seen():
    """It is always 1: no class can be told from it."""
    body = "h = Gemm(x, v) p = ReduceSum(h, axis) y = Softmax(p)"
    assert "softmax" in kinds(network(f"(float[N,12] x) => (float[N,1] y) {{ {body} }}"))
