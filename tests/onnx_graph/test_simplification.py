"""Simplifying: removed parts, kept parts, and no cost if there is nothing to do."""

import numpy as np
import onnx_ir as ir
import pytest

import onnx_graph


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def test_masked_weight_becomes_a_weight(from_text):
    model = from_text(
        "g (float[N,2] x) => (float[N,2] y) { m = Mul(w, mask)  t = Transpose<perm=[1,0]>(m)  y = MatMul(x, t) }",
        w=[[1.0, 2], [3, 4]],
        mask=[[1.0, 0], [1, 1]],
    )
    assert onnx_graph.weights(model) == ()
    simple = onnx_graph.simplify(model)
    assert operators(simple) == ["MatMul"]
    assert [mask.tolist() for mask in onnx_graph.masks(simple).values()] == [[[True, False], [True, True]]]
    assert list(simple.graph.initializers) == [weight.name for weight in onnx_graph.weights(simple)]
    assert operators(model) == ["Mul", "Transpose", "MatMul"]


def test_constants_identities_and_dropout_go(from_text, answers):
    model = from_text(
        """g (float[N,2] x) => (float[N,2] y) {
            w = Constant<value = float[2,2] {1, 2, 3, 4}>()
            i = Identity(x)
            a = MatMul(i, w)
            d, kept = Dropout(a)
            unused = Relu(a)
            y = Identity(d)
        }"""
    )
    simple = onnx_graph.simplify(model)
    assert operators(simple) == ["MatMul"]
    assert [value.name for value in simple.graph.outputs] == ["y"]
    x = np.float32([[1, -1]])
    np.testing.assert_array_equal(answers(simple, {"x": x})[0], answers(model, {"x": x})[0])


def test_dropout_for_training_stays(from_text):
    model = from_text(
        "g (float[N,2] x) => (float[N,2] y) { a = Relu(x)  d = Dropout(a, ratio, mode)  y = Relu(d) }",
        ratio=np.float32(0.5),
        mode=np.array(True),
    )
    assert operators(onnx_graph.simplify(model)) == ["Relu", "Dropout", "Relu"]


def test_identity_between_input_and_output_stays(from_text):
    model = from_text("g (float[N,2] x) => (float[N,2] y) { y = Identity(x) }")
    assert operators(onnx_graph.simplify(model)) == ["Identity"]


def test_initializer_behind_identities_is_shared(from_text):
    model = from_text(
        "g (float[N,2] x) => (float[N,2] y) { c = Identity(w)  a = MatMul(x, w)  y = MatMul(a, c) }",
        w=[[1.0, 2], [3, 4]],
    )
    simple = onnx_graph.simplify(model)
    assert operators(simple) == ["MatMul", "MatMul"]
    assert list(simple.graph.initializers) == ["w"]


def test_large_constant_of_shape_takes_no_memory(from_text):
    model = from_text(
        "g (float[1,16000] x) => (float[1,16000] y) { w = ConstantOfShape<value = float[1] {1.0}>(s)  y = MatMul(x, w) }",
        s=np.array([16000, 16000]),
    )
    simple = onnx_graph.simplify(model)
    array = simple.graph.initializers["w"].const_value.numpy()
    assert array.shape == (16000, 16000)
    assert array.strides == (0, 0)


def test_constants_too_large_are_left_alone(from_text):
    model = from_text(
        "g (float[1,4] x) => (float[1,4] y) { w = Expand(one, s)  v = ReduceSum<keepdims=0>(w)  y = Add(x, v) }",
        one=[1.0],
        s=np.array([2**20, 2**20]),
    )
    assert operators(onnx_graph.simplify(model)) == ["Expand", "ReduceSum", "Add"]


def test_shape_arithmetic_of_known_shapes_goes(from_text):
    model = from_text(
        """g (float[2,3,4] x) => (float[2,12] y) {
            s = Shape(x)
            n = Gather(s, zero)
            m = Concat<axis=0>(n, rest)
            y = Reshape(x, m)
        }""",
        zero=np.array([0]),
        rest=np.array([-1]),
    )
    simple = onnx_graph.simplify(model)
    assert operators(simple) == ["Reshape"]
    assert simple.graph.outputs[0].shape == ir.Shape([2, 12])


def test_functions_are_inlined():
    model = ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["" : 17, "my" : 1]>
        g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 0, 0, 1}> { y = my.layer(x, w) }
        <domain: "my", opset_import: ["" : 17]>
        layer (a, b) => (c) { d = MatMul(a, b)  c = Relu(d) }"""
    )
    assert operators(onnx_graph.simplify(model)) == ["MatMul", "Relu"]


def test_nothing_to_do_returns_the_same_model(from_text):
    model = from_text(
        "g (float[N,2] x) => (float[N,2] y) { a = Gemm(x, w, b)  c = Relu(a)  y = Gemm(c, v) }",
        w=[[1.0, 2], [3, 4]],
        v=[[1.0, 2], [3, 4]],
        b=[0.0, 0],
    )
    assert onnx_graph.simplify(model) is model


@pytest.mark.parametrize("times", [1, 2])
def test_simplifying_twice_changes_nothing_more(from_text, times):
    model = from_text("g (float[N,2] x) => (float[N,2] y) { m = Mul(w, w)  y = MatMul(x, m) }", w=[[1.0, 2], [3, 4]])
    simple = onnx_graph.simplify(model)
    for _ in range(times):
        again = onnx_graph.simplify(simple)
        assert again is simple


SLICE = "g (float[N,3] x) => (float[N,M] y) { a = Relu(x)  b = Slice(a, starts, ends, axes, steps)  y = Relu(b) }"


@pytest.mark.parametrize(
    ("axis", "start", "end", "step", "stays"),
    [
        (0, 0, 2**63 - 1, 1, False),  # how torch writes y[:, -1]: all examples first
        (0, 0, 2**31 - 1, 1, False),
        (1, 0, 3, 1, False),
        (-1, -3, 7, 1, False),
        (0, 0, 3, 1, True),
        (0, 1, 2**63 - 1, 1, True),
        (0, 0, 2**63 - 1, 2, True),
        (1, 0, 2, 1, True),
        (1, 0, -1, 1, True),
        (1, -1, -4, -1, True),
    ],
)
def test_a_slice_of_everything_goes(from_text, answers, axis, start, end, step, stays):
    model = from_text(
        SLICE,
        **{
            name: np.array([value])
            for name, value in zip(("axes", "starts", "ends", "steps"), (axis, start, end, step), strict=True)
        },
    )
    simple = onnx_graph.simplify(model)
    assert operators(simple) == (["Relu", "Slice", "Relu"] if stays else ["Relu", "Relu"])
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(answers(simple, {"x": x})[0], answers(model, {"x": x})[0])


def test_a_slice_with_an_end_that_is_computed_stays(from_text):
    model = from_text(
        "g (float[N,3] x, int64[1] ends) => (float[M,3] y) { a = Relu(x)  y = Slice(a, starts, ends) }",
        starts=np.array([0]),
    )
    assert operators(onnx_graph.simplify(model)) == ["Relu", "Slice"]


def test_only_a_transpose_that_moves_nothing_goes(from_text):
    model = from_text(
        """g (float[N,3] x) => (float[3,N] y) { a = Relu(x)  b = Transpose<perm=[0,1]>(a)  c = Relu(b)  y = Transpose(c) }"""
    )
    assert operators(onnx_graph.simplify(model)) == ["Relu", "Relu", "Transpose"]
