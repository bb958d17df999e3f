"""Strangers' models in the importer: what cannot be run or would be too large is refused, with the node in the message."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnx_graph
from nas.importer import import_model


def loaded(body: str, inputs: str = "float[N,3] x", **arrays: np.ndarray) -> "onnx_graph.ir.Model":
    text = f'<ir_version: 10, opset_import: ["" : 18]> g ({inputs}) => (float[A,B] y) {{ {body} }}'
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return onnx_graph.from_proto(model)


HUGE = np.array([2**20, 2**20])
ONES = np.ones((1, 1, 3, 3), np.float32)
TOO_LARGE = {
    "Tile": ("y = Tile(x, s)", "float[N,3] x", {"s": HUGE}),
    "Expand": ("y = Expand(x, s)", "float[N,1] x", {"s": np.array([2**40, 1])}),
    "Pad": ("y = Pad(x, s)", "float[N,3] x", {"s": np.array([0, 0, 2**20, 2**20])}),
    "Conv": ("y = Conv<pads=[50000,50000,50000,50000]>(x, k)", "float[N,1,8,8] x", {"k": ONES}),
    "ConvTranspose": ("y = ConvTranspose<strides=[9999,9999]>(x, k)", "float[N,1,8,8] x", {"k": ONES}),
    "Add": (
        "a = Add(x, u)  y = Add(a, v)",
        "float[N,1] x",
        {"u": np.ones((2**14, 1), np.float32), "v": np.ones((1, 2**14), np.float32)},
    ),
    "OneHot": (
        "i = Cast<to=7>(x)  y = OneHot(i, d, p)",
        "float[N,3] x",
        {"d": np.array(2**40), "p": np.float32([0, 1])},
    ),
    "Range": (
        "r = Range(z, d, o)  f = Cast<to=1>(r)  y = Add(x, f)",
        "float[N,1] x",
        {"z": np.array(0), "d": np.array(2**40), "o": np.array(1)},
    ),
    "MatMul": (
        "w = MatMul(a, b)  y = MatMul(x, w)",
        "float[N,65536] x",
        {"a": np.ones((2**16, 1), np.float32), "b": np.ones((1, 2**16), np.float32)},
    ),
}


@pytest.mark.parametrize("operator", TOO_LARGE)
def test_a_result_that_would_be_too_large_is_refused_before_it_is_computed(operator):
    body, inputs, arrays = TOO_LARGE[operator]
    with pytest.raises(onnx_graph.UnsupportedOperatorError, match=operator) as caught:
        import_model(loaded(body, inputs, **arrays))
    assert caught.value.operator == operator


@pytest.mark.parametrize(
    ("name", "value"), [("axis", "one"), ("axis", [1, 2]), ("axis", 1.5), ("axis", numpy_helper.from_array(np.ones(1)))]
)
def test_an_attribute_of_a_wrong_type_is_refused(name, value):
    text = '<ir_version: 10, opset_import: ["" : 18]> g (float[N,3] x) => (float[N,3] y) { y = Softmax(x) }'
    model = onnx.parser.parse_model(text)
    model.graph.node[0].attribute.append(helper.make_attribute(name, value))
    with pytest.raises(onnx_graph.GraphError, match="Softmax"):
        import_model(onnx_graph.from_proto(model))


def test_contradicting_shapes_are_refused_with_the_node():
    with pytest.raises(onnx_graph.GraphError, match=r"cannot be imported: .*at node 'y', operator MatMul"):
        import_model(loaded("y = MatMul(x, w)", w=np.ones((4, 2), np.float32)))
