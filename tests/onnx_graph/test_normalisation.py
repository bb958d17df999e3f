"""The normalisation that exports begin with: put in front, recognised, and taken out again."""

import numpy as np
import onnx.parser
import onnx_ir as ir
import pytest

import onnx_graph

OFFSET, SCALE = np.float32([[1.0, 2.0]]), np.float32([[0.5, 4.0]])


@pytest.fixture
def model() -> ir.Model:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[N, 2] x) => (float[N, 2] y)
    <float[2, 2] w = {1, 0, 0, 2}> { s = MatMul(x, w)  y = Add(s, x) }"""
    return onnx_graph.from_proto(onnx.parser.parse_model(text))


def content(model: ir.Model) -> bytes:
    return ir.to_proto(model).SerializeToString(deterministic=True)


def test_what_was_put_in_front_is_taken_out_again(model):
    before = content(model)
    longer = onnx_graph.prepend_normalisation(model, OFFSET, SCALE)
    assert [node.op_type for node in longer.graph] == ["Sub", "Mul", "MatMul", "Add"]
    found = onnx_graph.split_normalisation(longer)
    np.testing.assert_array_equal(found.offset, OFFSET)
    np.testing.assert_array_equal(found.scale, SCALE)
    assert content(found.model) == before == content(model)


def test_it_is_found_in_a_file_that_was_simplified(model, tmp_path):
    onnx_graph.save(onnx_graph.prepend_normalisation(model, OFFSET, SCALE), tmp_path / "a.onnx")
    assert onnx_graph.split_normalisation(onnx_graph.simplify(onnx_graph.load(tmp_path / "a.onnx"))) is not None


def test_a_model_that_subtracts_by_itself_is_left_as_it_is(model):
    assert onnx_graph.split_normalisation(model) is None
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[N, 2] x) => (float[N, 2] y)
    <float[1, 2] a = {1, 2}> { s = Sub(x, a)  m = Mul(s, a)  y = Relu(m) }"""
    assert onnx_graph.split_normalisation(onnx_graph.from_proto(onnx.parser.parse_model(text))) is None


def test_an_input_that_is_read_beside_the_normalisation_is_not_normalised(model):
    longer = onnx_graph.prepend_normalisation(model, OFFSET, SCALE)
    last = list(longer.graph)[-1]
    last.replace_input_with(1, longer.graph.inputs[0])
    assert onnx_graph.split_normalisation(longer) is None


def test_a_name_that_is_taken_is_no_obstacle(model):
    longer = onnx_graph.prepend_normalisation(model, OFFSET, SCALE)
    twice = onnx_graph.prepend_normalisation(longer, OFFSET, SCALE)
    assert {"nas_offset", "nas_offset_"} <= set(twice.graph.initializers)
