"""Files: every refusal in one clear line, safe reading, durable writing."""

import errno
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnx_graph

TEXT = """<ir_version: 10, opset_import: ["" : 17]>
g (float[N,3] x) => (float[N,2] y) <float[3,2] w = {1,2,3,4,5,6}> { h = MatMul(x, w)  y = Relu(h) }"""


def proto() -> onnx.ModelProto:
    return onnx.parser.parse_model(TEXT)


def external(location: str, *, length: int = 24, offset: int = 0) -> onnx.ModelProto:
    model = proto()
    tensor = model.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return model


def write(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def refused(path: Path, pattern: str) -> None:
    with pytest.raises(onnx_graph.InvalidModelError, match=pattern) as caught:
        onnx_graph.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_load_infers_shapes(tmp_path):
    model = onnx_graph.load(write(tmp_path, proto()))
    (hidden,) = (node.outputs[0] for node in model.graph if node.op_type == "MatMul")
    assert hidden.shape == ir.Shape(["N", 2])
    assert model.graph.initializers["w"].const_value.numpy().tolist() == [[1, 2], [3, 4], [5, 6]]


def test_shapes_stay_unknown_where_inference_fails(tmp_path):
    model = proto()
    model.graph.node[0].op_type = "NoSuchOperator"
    loaded = onnx_graph.load(write(tmp_path, model))
    assert loaded.graph[0].outputs[0].shape is None


@pytest.mark.parametrize(
    ("described", "asked"),
    [
        ([["N", 2]], 0),
        ([[5, 2]], 0),
        ([["other", 2]], 1),  # the file does not state what this size belongs to
        ([["N", "k"]], 1),
        ([[None, 2]], 1),
        ([None], 1),
        ([["N", 2], None], 1),  # the last is what counts
        ([], 1),
    ],
)
def test_shapes_are_inferred_unless_the_file_gives_all(tmp_path, monkeypatch, described, asked):
    model = proto()
    model.graph.value_info.extend(helper.make_tensor_value_info("h", TensorProto.FLOAT, one) for one in described)
    calls = []
    real = onnx.shape_inference.infer_shapes
    monkeypatch.setattr(
        onnx.shape_inference, "infer_shapes", lambda *args, **options: calls.append(1) or real(*args, **options)
    )
    shape = onnx_graph.load(write(tmp_path, model)).graph[0].outputs[0].shape
    assert len(calls) == asked
    assert shape[1] == 2
    if not asked:
        assert shape == ir.Shape(described[0])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "bool", "bfloat16"])
def test_large_weights_of_every_type(tmp_path, dtype):
    model = proto()
    kind = ir.DataType[{"float32": "FLOAT", "float64": "DOUBLE"}.get(dtype, dtype.upper())]
    array = (np.arange(3 * 700).reshape(3, 700) % 5).astype(kind.numpy())
    model.graph.initializer.append(ir.serde.serialize_tensor(ir.Tensor(array, dtype=kind, name="large")))
    loaded = onnx_graph.load(write(tmp_path, model)).graph.initializers["large"]
    assert loaded.dtype == kind
    np.testing.assert_array_equal(loaded.const_value.numpy(), array)


def test_missing_file_folder_and_empty_file(tmp_path):
    refused(tmp_path / "none.onnx", "no such file")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.onnx").touch()
    refused(tmp_path / "empty.onnx", "is empty")


def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    refused(tmp_path / "pipe.onnx", "not a regular file")


def test_text_file(tmp_path):
    path = tmp_path / "notes.onnx"
    path.write_text("Dear reader, this is no network.\n")
    refused(path, "is text, not an ONNX file")


def test_every_truncation_is_refused_or_read(tmp_path):
    data = proto().SerializeToString()
    path = tmp_path / "cut.onnx"
    refusals = 0
    for end in range(1, len(data)):
        path.write_bytes(data[:end])
        try:
            onnx_graph.load(path)
        except onnx_graph.InvalidModelError:
            refusals += 1
    assert refusals == len(data) - 1


def test_random_bytes_never_escape_as_another_error(tmp_path):
    rng, data = np.random.default_rng(0), proto().SerializeToString()
    path = tmp_path / "damaged.onnx"
    refusals = 0
    for _ in range(300):
        damaged = bytearray(data)
        for position in rng.integers(len(data), size=3):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            onnx_graph.load(path)
        except onnx_graph.InvalidModelError:
            refusals += 1
    assert 0 < refusals <= 300


def test_no_graph_no_outputs_no_operator_set(tmp_path):
    refused(write(tmp_path, onnx.ModelProto(ir_version=8)), "no graph")
    model = proto()
    del model.graph.output[:]
    refused(write(tmp_path, model), "no outputs")
    model = proto()
    del model.opset_import[:]
    refused(write(tmp_path, model), "no operator set")


def test_cycle(tmp_path):
    model = proto()
    model.graph.node[0].input[0] = "y"
    refused(write(tmp_path, model), "cycle")


def test_nodes_in_the_wrong_order_are_sorted(tmp_path):
    model = proto()
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    assert [node.op_type for node in onnx_graph.load(write(tmp_path, model)).graph] == ["MatMul", "Relu"]


def test_names_defined_twice_or_never(tmp_path):
    model = proto()
    model.graph.initializer.append(model.graph.initializer[0])
    refused(write(tmp_path, model), "initializer 'w' is defined more than once")
    model = proto()
    model.graph.node[1].output[0] = "h"
    refused(write(tmp_path, model), "value 'h' is defined more than once")
    model = proto()
    model.graph.node[0].input[0] = "z"
    refused(write(tmp_path, model), "reads 'z', which nothing defines")
    model = proto()
    model.graph.output[0].name = "z"
    refused(write(tmp_path, model), "output 'z' is computed by no node")


def test_names_inside_subgraphs_are_checked_too(tmp_path):
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 17]>
        g (bool c, float[2] x) => (float[2] y) {
            y = If(c) <then_branch = a () => (float[2] t) { t = Relu(x) }, else_branch = b () => (float[2] e) { e = Neg(x) }>
        }"""
    )
    assert len(onnx_graph.load(write(tmp_path, model)).graph) == 1
    model.graph.node[0].attribute[0].g.node[0].input[0] = "nowhere"
    refused(write(tmp_path, model), "reads 'nowhere'")


@pytest.mark.parametrize("dims", [[3, 3], [2**40, 2**40], [-1, 6]])
def test_declared_shape_must_fit_the_data(tmp_path, dims):
    model = proto()
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    refused(write(tmp_path, model), "tensor 'w'")


def test_raw_bytes_must_fit_the_shape(tmp_path):
    model = proto()
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((3, 2), np.float32), "w"))
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    refused(write(tmp_path, model), "needs 24 bytes, but has 20")


def test_unknown_data_type(tmp_path):
    model = proto()
    model.graph.initializer[0].data_type = 99
    refused(write(tmp_path, model), "unknown data type 99")


def test_newer_ir_version_is_read_and_written_readable(tmp_path):
    model = proto()
    model.ir_version = 99
    loaded = onnx_graph.load(write(tmp_path, model))
    onnx_graph.save(loaded, tmp_path / "copy.onnx")
    assert onnx.load(tmp_path / "copy.onnx").ir_version == 13


def test_initializers_listed_as_inputs_are_no_inputs(tmp_path):
    model = proto()
    model.ir_version = 3
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 2]))
    assert [value.name for value in onnx_graph.load(write(tmp_path, model)).graph.inputs] == ["x"]


def test_external_data_in_the_folder_is_read(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.bin").write_bytes(b"head" + np.arange(6, dtype=np.float32).tobytes())
    path = write(tmp_path, external("sub/w.bin", offset=4))
    assert onnx_graph.load(path).graph.initializers["w"].const_value.numpy().tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    "location", ["../w.bin", "sub/../../w.bin", "/etc/passwd", "..\\w.bin", "C:\\w.bin", "", "a\0b"]
)
def test_external_data_must_be_named_below_the_folder(tmp_path, location):
    (tmp_path / "w.bin").write_bytes(bytes(24))
    (tmp_path / "model").mkdir()
    refused(write(tmp_path / "model", external(location)), "must be a path below the model's folder")


def test_external_data_link_out_of_the_folder(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(24))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w.bin").symlink_to(tmp_path / "secret")
    refused(write(tmp_path / "model", external("w.bin")), "leads out of the model's folder")


def test_external_data_missing_looping_or_too_short(tmp_path):
    path = write(tmp_path, external("w.bin"))
    refused(path, "'w.bin' is missing")
    (tmp_path / "w.bin").write_bytes(bytes(20))
    refused(path, "needs 24 bytes of 'w.bin' from byte 0; declared are 24, the file has 20")
    refused(write(tmp_path, external("w.bin", length=8)), "declared are 8")
    refused(write(tmp_path, external("w.bin", offset=-4)), "offset must be a whole number")
    (tmp_path / "w.bin").unlink()
    (tmp_path / "w.bin").symlink_to("w.bin")
    refused(path, "w.bin")


def test_external_data_of_absurd_size_is_not_read(tmp_path):
    model = external("w.bin", length=2**50)
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([2**24, 2**24])
    refused(write(tmp_path, model), "more than 2 GiB")


def sparse(indices: np.ndarray, dims: list[int]) -> onnx.ModelProto:
    model = proto()
    del model.graph.initializer[:]
    values = numpy_helper.from_array(np.float32([7, 8]), "w")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, numpy_helper.from_array(indices, "i"), dims)
    )
    return model


def _with_default(held: onnx.AttributeProto, stated: int) -> onnx.ModelProto:
    """A model whose weight is the default of an attribute of a function."""
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 17, "own" : 1]>
        g (float[N,3] x) => (float[N,2] y) { h = own.F(x)  y = Relu(h) }""")
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.add(name="value", type=stated, ref_attr_name="k")
    product = helper.make_node("MatMul", ["a", "c"], ["b"])
    function = helper.make_function("own", "F", ["a"], ["b"], [constant, product], [helper.make_opsetid("", 17)], [])
    function.attribute_proto.append(held)
    model.functions.append(function)
    return model


@pytest.mark.parametrize("stated", [onnx.AttributeProto.TENSOR, onnx.AttributeProto.FLOAT, 0])
@pytest.mark.parametrize("location", ["../secret", "{folder}/secret", "secret.txt"])
def test_external_data_of_an_attribute_of_a_function(tmp_path, location, stated):
    (tmp_path / "model").mkdir()
    for path in (tmp_path / "secret", tmp_path / "model" / "secret.txt"):
        path.write_bytes(np.arange(6, dtype=np.float32).tobytes())
    tensor = TensorProto(data_type=TensorProto.FLOAT, dims=[3, 2], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location.format(folder=tmp_path)), ("length", "24")):
        tensor.external_data.add(key=key, value=value)
    path = write(tmp_path / "model", _with_default(helper.make_attribute("k", tensor), stated))
    if location == "secret.txt":
        (held,) = onnx_graph.load(path).functions.values()
        assert held.attributes["k"].as_tensor().numpy().sum() == 15
    else:
        refused(path, "must be a path below the model's folder")


def test_a_damaged_attribute_of_a_function(tmp_path):
    tensor = TensorProto(data_type=TensorProto.FLOAT, dims=[3, 2], raw_data=b"123")
    model = _with_default(helper.make_attribute("k", tensor), onnx.AttributeProto.TENSOR)
    refused(write(tmp_path, model), "needs 24 bytes, but has 3")


@pytest.mark.parametrize("stated", [onnx.AttributeProto.TENSOR, onnx.AttributeProto.GRAPH])
def test_an_attribute_that_holds_nothing(tmp_path, stated):
    model = proto()
    model.graph.node[0].attribute.add(name="value", type=stated)
    refused(write(tmp_path, model), "should hold a tensor or a graph, and holds none")


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("dims", [[1] * 70 + [600], [0, 2**62, 2**62]])
def test_shapes_that_no_array_can_have(tmp_path, dims, raw):
    model = proto()
    tensor = model.graph.initializer.add(name="w2", data_type=TensorProto.FLOAT, dims=dims)
    if raw:
        tensor.raw_data = bytes(2400 if 0 not in dims else 0)
    else:
        tensor.float_data.extend([0.0] * (600 if 0 not in dims else 0))
    refused(write(tmp_path, model), "a shape that no array can have")


def test_six_bits_without_raw_data(tmp_path):
    model = proto()
    model.graph.initializer.add(name="w2", data_type=TensorProto.FLOAT6E2M3, dims=[3], int32_data=[1, 2, 3])
    assert "w2" in onnx_graph.load(write(tmp_path, model)).graph.initializers


@pytest.mark.parametrize("indices", [np.array([1, 4]), np.array([[0, 1], [2, 0]])])
def test_sparse_initializers_become_dense(tmp_path, indices):
    model = onnx_graph.load(write(tmp_path, sparse(indices, [3, 2])))
    assert model.graph.initializers["w"].const_value.numpy().tolist() == [[0, 7], [0, 0], [8, 0]]
    assert onnx_graph.masks(model)["w"].tolist() == [[False, False, True], [True, False, False]]


def test_sparse_constants_become_dense(tmp_path):
    model = sparse(np.array([1, 4]), [3, 2])
    tensor = model.graph.sparse_initializer.pop()
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], sparse_value=tensor))
    loaded = onnx_graph.simplify(onnx_graph.load(write(tmp_path, model)))
    assert loaded.graph.initializers["w"].const_value.numpy().tolist() == [[0, 7], [0, 0], [8, 0]]


def test_sparse_initializers_that_would_not_fit(tmp_path):
    refused(write(tmp_path, sparse(np.array([1, 6]), [3, 2])), "indices that do not fit")
    refused(write(tmp_path, sparse(np.array([1, 4, 5]), [3, 2])), "indices that do not fit")
    refused(write(tmp_path, sparse(np.array([1, 4]), [2**20, 2**20])), "as a dense one: too many")


def test_save_and_load_again(tmp_path):
    model = onnx_graph.load(write(tmp_path, proto()))
    written = onnx_graph.save(model, tmp_path / "a.onnx", metadata={"candidate": "0123"})
    assert written == (tmp_path / "a.onnx").stat().st_size
    again = onnx_graph.load(tmp_path / "a.onnx")
    assert again.metadata_props == {"candidate": "0123"}
    assert "candidate" not in model.metadata_props
    onnx.checker.check_model(str(tmp_path / "a.onnx"), full_check=True)
    assert onnx_graph.save(model, tmp_path / "b.onnx") == onnx_graph.size(model) < written


def test_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write(tmp_path, proto())
    before, model = path.read_bytes(), onnx_graph.load(path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        onnx_graph.save(model, path, metadata={"new": "1"})
    assert os.listdir(tmp_path) == ["model.onnx"]
    assert path.read_bytes() == before


def data_folder() -> Path:
    if "NAS_DATA_DIR" not in os.environ:
        pytest.skip("NAS_DATA_DIR is not set")
    return Path(os.environ["NAS_DATA_DIR"]) / "onnx"


def test_real_files_load(answers):
    """All models but the one without weights; onnxruntime computes the same outputs as before."""
    refusals = []
    for path in sorted(data_folder().glob("*/*.onnx")):
        try:
            model = onnx_graph.load(path)
        except onnx_graph.InvalidModelError:
            refusals.append(path.name)
            continue
        assert all(value.is_initializer() is False for value in model.graph.inputs)
    assert refusals == ["resnet18-v1-7-no-weight.onnx"]


def test_long_files_in_reverse_order_are_sorted_quickly(tmp_path):
    model = proto()
    del model.graph.node[:]
    names = ["y", *(f"v{number}" for number in range(3000)), "x"]
    model.graph.node.extend(helper.make_node("Relu", [right], [left]) for left, right in pairwise(names))
    nodes = list(onnx_graph.load(write(tmp_path, model)).graph)
    assert nodes[0].inputs[0].name == "x"
    assert nodes[-1].outputs[0].name == "y"


def test_a_protobuf_is_read_as_its_file_would_be(tmp_path):
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 17]>
        g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 0, 0, 1}> { a = MatMul(x, w)  y = Relu(a) }"""
    )
    before = proto.SerializeToString()
    (tmp_path / "m.onnx").write_bytes(before)
    model = onnx_graph.from_proto(proto)
    assert model.graph[0].outputs[0].shape == ir.Shape(["N", 2])
    assert (
        ir.to_proto(model).SerializeToString() == ir.to_proto(onnx_graph.load(tmp_path / "m.onnx")).SerializeToString()
    )
    assert proto.SerializeToString() == before


def test_a_protobuf_that_is_unsound_or_has_its_weights_elsewhere():
    with pytest.raises(onnx_graph.InvalidModelError, match="it holds no graph"):
        onnx_graph.from_proto(onnx.ModelProto())
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 17]>
        g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 0, 0, 1}> { y = MatMul(x, w) }"""
    )
    proto.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(onnx_graph.InvalidModelError, match="tensor 'w' lies in another file: give the path"):
        onnx_graph.from_proto(proto)
