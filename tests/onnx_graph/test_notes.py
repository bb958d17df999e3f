"""Notes of tools are dropped; the network, its names and its author's words stay."""

import onnx.parser
import onnx_ir as ir

import onnx_graph
from onnx_graph.norm_bound import set_norm_bound


def test_notes_go_and_the_authors_metadata_stays():
    text = """<ir_version: 10, opset_import: ["" : 17]> g (float[N, 2] x) => (float[N, 2] y)
    <float[2, 2] w = {1, 0, 0, 2}> { y = MatMul(x, w) }"""
    proto = onnx.parser.parse_model(text)
    secret = "File '/home/somebody/net.py', line 3"
    proto.doc_string = proto.graph.doc_string = proto.graph.node[0].doc_string = secret
    proto.graph.initializer[0].doc_string = proto.graph.input[0].doc_string = secret
    for holder in (proto, proto.graph, proto.graph.node[0], proto.graph.input[0], proto.graph.initializer[0]):
        holder.metadata_props.add(key="pkg.torch.onnx.stack_trace", value=secret)
    proto.metadata_props.add(key="author", value="Ada")
    model = onnx_graph.from_proto(proto)
    onnx_graph.drop_notes(model)
    written = ir.to_proto(model)
    assert b"somebody" not in written.SerializeToString()
    assert [(entry.key, entry.value) for entry in written.metadata_props] == [("author", "Ada")]
    assert [node.output[0] for node in written.graph.node] == ["y"]
    assert written.graph.initializer[0].name == "w"


def test_norm_bounds_stay():
    text = """<ir_version: 10, opset_import: ["" : 17]> g (float[N, 2] x) => (float[N, 2] y)
    <float[2, 2] w = {1, 0, 0, 2}> { y = MatMul(x, w) }"""
    proto = onnx.parser.parse_model(text)
    model = onnx_graph.from_proto(proto)
    weight = model.graph.initializers["w"]
    weight.metadata_props["pkg.tool"] = "note"
    set_norm_bound(weight, 2.0)
    onnx_graph.drop_notes(model)
    assert dict(weight.metadata_props) == {"nas.norm_bound": "2.0"}
