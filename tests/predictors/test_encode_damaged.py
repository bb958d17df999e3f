"""Models that contradict themselves: each is encoded or refused with a typed error that names file and node; a batch goes on."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import onnx_graph
import predictors

ONES = ",".join("1" * 36)
LAYER = f"<float[4,1,3,3] k = {{{ONES}}}, float[2,10] w = {{{ONES[:39]}}}>"


def parsed(body: str, inputs: str = "float[N,1,8,8] x", opset: int = 17) -> onnx.ModelProto:
    return onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : {opset}]> g ({inputs}) => (float[A,B,C,D] y) {LAYER} {{ {body} }}'
    )


def with_attribute(body: str, name: str, value: object) -> onnx.ModelProto:
    model = parsed(body)
    node = model.graph.node[-1]
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
    return model


def without_shape(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.input[0].type.tensor_type.ClearField("shape")
    return model


DAMAGED = {
    "group is a text": with_attribute("y = Conv(x, k)", "group", "two"),
    "group is 0": with_attribute("y = Conv(x, k)", "group", 0),
    "pads are fractions": with_attribute("y = Conv(x, k)", "pads", [0.5, 1.5, 0.5, 0.5]),
    "pads are few": with_attribute("y = Conv(x, k)", "pads", [1]),
    "strides are 0": with_attribute("y = Conv(x, k)", "strides", [0, 0]),
    "perm is a number": with_attribute("y = Transpose(x)", "perm", 7),
    "axis is far away": with_attribute("y = Softmax(x)", "axis", 2**40),
    "axis is a tensor": with_attribute("y = Softmax(x)", "axis", onnx.numpy_helper.from_array(np.ones(2))),
    "hidden size is negative": with_attribute("y = LSTM(x, k, k)", "hidden_size", -5),
    "Conv of an input without shape": without_shape(parsed("y = Conv(x, k)")),
    "Conv of a vector": parsed("y = Conv(x, k)", "float[5] x"),
    "product of other lengths": parsed("y = MatMul(x, w)", "float[N,7] x"),
    "batch of 0": parsed("y = Conv(x, k)", "float[0,1,8,8] x"),
    "opset 7": parsed("a = Conv(x, k)  y = Upsample<scales=[1.0,1.0,2.0,2.0]>(a)", opset=7),
    "opset 1": parsed("y = Reshape<shape=[1,64,1,1]>(x)", opset=1),
    "slice with axes that are not there": parsed(
        "i = Constant<value_ints=[9]>()  s = Constant<value_ints=[0]>()  y = Slice(x, s, i, i)"
    ),
    "unknown number of outputs": parsed("y, z, v = Split<axis=1>(x)"),
}


def encoded_or_refused(path: Path) -> None:
    try:
        graph = predictors.encode(path)
    except onnx_graph.GraphError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert np.isfinite(graph.features).all()
        assert np.isfinite(graph.summary).all()


@pytest.mark.parametrize("name", DAMAGED)
def test_a_model_that_contradicts_itself_is_encoded_or_refused(name, tmp_path):
    path = tmp_path / "damaged.onnx"
    path.write_bytes(DAMAGED[name].SerializeToString())
    encoded_or_refused(path)


@pytest.mark.parametrize("place", ["name", "output", "op_type", "domain", "input"])
def test_text_that_is_no_utf8_is_read_or_refused(place, tmp_path):
    path = tmp_path / "damaged.onnx"
    model = parsed("y = Relu(x)")
    if place in ("input", "output"):
        getattr(model.graph.node[0], place).append("mark")
    else:
        setattr(model.graph.node[0], place, "mark")
    path.write_bytes(model.SerializeToString().replace(b"mark", b"\xff\xc3(\xed"))
    encoded_or_refused(path)


def test_a_failure_of_ours_names_file_and_node_and_keeps_its_cause(tmp_path, monkeypatch):
    path = tmp_path / "sound.onnx"
    path.write_bytes(parsed("y = Conv(x, k)").SerializeToString())

    def fail(node, opset):
        raise KeyError("strides")

    monkeypatch.setattr("predictors.reading.canonical.settings", fail)
    with pytest.raises(
        onnx_graph.UnreadableModelError,
        match=r"sound.onnx: cannot be encoded: KeyError: 'strides' .at node 'y', operator Conv",
    ) as caught:
        predictors.encode(path)
    assert isinstance(caught.value.__cause__, KeyError)


def test_one_damaged_file_does_not_end_a_batch(tmp_path):
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.onnx"
    good.write_bytes(parsed("y = Conv(x, k)").SerializeToString())
    bad.write_bytes(b"\x08")
    first, second, third = predictors.encode_each([good, bad, good])
    assert isinstance(second, onnx_graph.InvalidModelError)
    np.testing.assert_array_equal(first.features, third.features)
    with pytest.raises(onnx_graph.InvalidModelError, match=r"bad\.onnx"):
        predictors.encode_all([good, bad, good])


def test_no_model_at_all_is_still_a_wrong_question():
    with pytest.raises(predictors.PredictorError, match="got int"):
        predictors.encode(5)
