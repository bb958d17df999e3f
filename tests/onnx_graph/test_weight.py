"""Weights: which initializers are maskable, and their orientation."""

import numpy as np
import onnx_ir as ir
import pytest

import onnx_graph

DENSE = [[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]  # (out = 2, in = 3)
MASK = [[True, False, True], [False, False, True]]


@pytest.mark.parametrize(
    ("text", "stored", "transposed"),
    [
        ("g (float[N,3] x) => (float[N,2] y) { y = Gemm<transB=1>(x, w) }", DENSE, False),
        ("g (float[N,3] x) => (float[N,2] y) { y = Gemm(x, w) }", np.transpose(DENSE), True),
        ("g (float[3,N] x) => (float[N,2] y) { y = Gemm<transA=1>(x, w) }", np.transpose(DENSE), True),
        ("g (float[N,3] x) => (float[N,2] y) { y = MatMul(x, w) }", np.transpose(DENSE), True),
        ("g (float[3,N] x) => (float[2,N] y) { y = MatMul(w, x) }", DENSE, False),
        ("g (float[3,N] x) => (float[2,N] y) { y = Gemm<transA=1>(w, x) }", np.transpose(DENSE), True),
    ],
)
def test_dense_weights_become_out_by_in(from_text, text, stored, transposed):
    model = from_text(text, w=stored)
    (weight,) = onnx_graph.weights(model)
    assert (weight.shape, weight.kind, weight.transposed) == ((2, 3), "dense", transposed)
    array = model.graph.initializers["w"].const_value.numpy()
    np.testing.assert_array_equal(weight.canonical(array), DENSE)
    np.testing.assert_array_equal(weight.stored(weight.canonical(array)), array)
    assert onnx_graph.masks(model)["w"].tolist() == MASK


def test_convolution_keeps_its_groups(from_text):
    model = from_text("g (float[N,4,5,5] x) => (float[N,6,3,3] y) { y = Conv<group=2>(x, w) }", w=np.ones((6, 2, 3, 3)))
    (weight,) = onnx_graph.weights(model)
    assert (weight.shape, weight.groups, weight.kind) == ((6, 2, 3, 3), 2, "conv")


def test_transposed_convolution_with_groups_lists_outputs_first(from_text):
    # Stored (in = 4, out per group = 1, 1, 1): inputs 0, 1 make output 0, inputs 2, 3 make output 1.
    model = from_text(
        "g (float[N,4,1,1] x) => (float[N,2,1,1] y) { y = ConvTranspose<group=2>(x, w) }",
        w=np.float32([1, 2, 3, 4]).reshape(4, 1, 1, 1),
    )
    (weight,) = onnx_graph.weights(model)
    stored = model.graph.initializers["w"].const_value.numpy()
    assert weight.shape == (2, 2, 1, 1)
    assert weight.canonical(stored)[:, :, 0, 0].tolist() == [[1, 2], [3, 4]]
    np.testing.assert_array_equal(weight.stored(weight.canonical(stored)), stored)


@pytest.mark.parametrize(("operator", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_recurrent_weights_stack_directions_and_gates(from_text, operator, gates):
    model = from_text(
        f'g (float[T,N,5] x) => (float[T,2,N,3] y) {{ y = {operator}<hidden_size=3, direction="bidirectional">(x, w, r) }}',
        w=np.ones((2, gates * 3, 5)),
        r=np.ones((2, gates * 3, 3)),
    )
    first, second = onnx_graph.weights(model)
    assert (first.name, first.kind, first.shape) == ("w", "dense", (2 * gates * 3, 5))
    assert (second.name, second.kind, second.shape) == ("r", "recurrent", (2 * gates * 3, 3))
    assert (second.gates, second.directions) == (gates, 2)
    stored = model.graph.initializers["r"].const_value.numpy()
    assert second.stored(second.canonical(stored)).shape == stored.shape


def test_what_is_no_weight(from_text):
    model = from_text(
        """g (float[N,2,3] x) => (float[N,2,3] y) {
            a = MatMul(x, batched)
            b = Add(a, bias)
            y = LayerNormalization(b, scale, shift)
        }""",
        batched=np.ones((2, 3, 3)),
        bias=np.ones(3),
        scale=np.ones(3),
        shift=np.ones(3),
    )
    assert onnx_graph.weights(model) == ()


def test_weight_behind_identity_and_shared_weight_appear_once(from_text):
    model = from_text(
        """g (float[N,2] x) => (float[N,2] y) {
            copy = Identity(w)
            a = MatMul(x, copy)
            y = MatMul(a, w)
        }""",
        w=np.eye(2),
    )
    (weight,) = onnx_graph.weights(model)
    assert weight.name == "w"


def test_set_weights_replaces_in_the_type_of_the_file(from_text):
    model = from_text("g (float[N,3] x) => (float[N,2] y) { y = Gemm<transB=1>(x, w) }", w=DENSE)
    onnx_graph.set_weights(model, {"w": np.ones((2, 3))})
    assert model.graph.initializers["w"].const_value.numpy().dtype == np.float32
    assert onnx_graph.masks(model)["w"].all()


def test_set_weights_refuses_unknown_names_and_other_shapes(from_text):
    model = from_text("g (float[N,3] x) => (float[N,2] y) { y = Gemm<transB=1>(x, w) }", w=DENSE)
    with pytest.raises(onnx_graph.WeightError, match="no initializer 'v'; it has w"):
        onnx_graph.set_weights(model, {"w": np.zeros((2, 3)), "v": np.zeros((2, 3))})
    with pytest.raises(onnx_graph.WeightError, match=r"'w' has shape \(2, 3\), the new array \(3, 2\)"):
        onnx_graph.set_weights(model, {"w": np.zeros((3, 2))})
    assert onnx_graph.masks(model)["w"].tolist() == MASK


def test_custom_operator_of_the_same_name_has_no_weights():
    w = ir.Value(name="w", const_value=ir.Tensor(np.ones((2, 2), np.float32), name="w"))
    x = ir.Value(name="x", shape=ir.Shape(["N", 2]), type=ir.TensorType(ir.DataType.FLOAT))
    node = ir.Node("my.domain", "MatMul", [x, w])
    graph = ir.Graph([x], node.outputs, nodes=[node], initializers=[w], opset_imports={"": 17, "my.domain": 1})
    assert onnx_graph.weights(ir.Model(graph, ir_version=10)) == ()
