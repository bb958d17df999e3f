"""ONNX files: safe reading and durable writing."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.boundary import typed
from onnx_graph.errors import InvalidModelError
from onnx_graph.files import limits, soundness, tensor_data, value_info, wire
from onnx_graph.files.durable_file import write_durably
from onnx_graph.files.model_parts import ModelParts

NEWEST_IR_VERSION = 13  # that onnxruntime reads
_NUMBERS = frozenset({ir.AttributeType.INT, ir.AttributeType.INTS, ir.AttributeType.FLOAT, ir.AttributeType.FLOATS})
_LEAST_READ = 1 << 20  # bytes: some file systems state no size


@typed("read")
def load(path: os.PathLike[str] | str) -> ir.Model:
    """Read an ONNX file and infer its shapes (they stay unknown where inference fails).

    Sparse initializers become dense, external data is read into memory; nothing outside the file's folder is opened.

    Raises:
        InvalidModelError: the file is not a valid model of at most 2 GiB.
    """
    path = Path(path)
    return _to_memory(_parse(_read(path)), path.parent)


@typed("read")
def from_proto(proto: onnx.ModelProto) -> ir.Model:
    """The model that `load` would read from a file of this content; the protobuf itself is not changed.

    Raises:
        InvalidModelError: the model is invalid, or its weights are in other files; in that case, pass the file's path to `load`.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    return _to_memory(copy, None)


def save(model: ir.Model, path: Path | str, *, metadata: Mapping[str, str] | None = None) -> int:
    """Write a model as `write_durably` does; returns the bytes written.

    After any failure, such as a full disk, the old file is unchanged and no other file is left in the folder.

    Args:
        metadata: entries that are written into the file in addition to the model's own metadata.

    Raises:
        OSError: the file cannot be written; `filename` is its path.
        InvalidModelError: the model would be larger than 2 GiB.
    """
    path = Path(path)
    data = _serialize(model, metadata or {})
    write_durably(path, data)
    return len(data)


def size(model: ir.Model) -> int:
    """Number of bytes that `save` would write without further metadata."""
    return len(_serialize(model, {}))


@typed("written")
def _serialize(model: ir.Model, metadata: Mapping[str, str]) -> bytes:
    from google.protobuf.message import EncodeError  # type: ignore[import-untyped]

    proto = ir.to_proto(model)
    proto.ir_version = min(proto.ir_version, NEWEST_IR_VERSION)
    kept = {entry.key: entry.value for entry in proto.metadata_props} | dict(metadata)
    del proto.metadata_props[:]
    for key, value in sorted(kept.items()):
        proto.metadata_props.add(key=key, value=value)
    try:
        data: bytes = proto.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as error:
        raise InvalidModelError(f"the model is too large for one ONNX file: {error}") from error
    return data


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InvalidModelError("is a folder, not an ONNX file")
        if not path.is_file():
            raise InvalidModelError("there is no such file" if not path.exists() else "is not a regular file")
        with path.open("rb") as file:
            # `read` first allocates as many bytes as it is asked for, so ask for little more than the file's size.
            expected = max(os.fstat(file.fileno()).st_size, _LEAST_READ)
            data = file.read(min(expected, tensor_data.MAX_BYTES) + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if isinstance(error, InvalidModelError):
            raise
        raise InvalidModelError(f"cannot be read ({error})") from error
    if not data:
        raise InvalidModelError("is empty")
    if len(data) > tensor_data.MAX_BYTES:
        raise InvalidModelError("is larger than 2 GiB; ONNX files of that size keep their weights in a second file")
    return data


def _parse(data: bytes) -> onnx.ModelProto:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    wire.check(data)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError as error:
        start = data[:512]
        text = all(byte in b"\t\n\r\f" or byte >= 32 for byte in start)
        what = "is text, not an ONNX file" if text else "is not an ONNX file, or is cut off or damaged"
        raise InvalidModelError(f"{what} ({error})") from error
    return proto


def _to_memory(proto: onnx.ModelProto, folder: Path | None) -> ir.Model:
    """The model, with external data read from that folder; the protobuf is modified."""
    parts = ModelParts.of(proto)
    limits.check(proto, parts.graphs)
    in_order = soundness.check(proto)
    arrays = tensor_data.make_plain(proto, parts, folder)
    value_info.infer(proto, arrays)
    try:
        model = ir.from_proto(proto)
    except ir.serde.SerdeError as error:
        reason = error.__cause__
        while isinstance(reason, ir.serde.SerdeError):
            reason = reason.__cause__
        raise InvalidModelError(
            f"cannot be understood: {str(reason).strip().splitlines()[0][:300] if reason else error}"
        ) from error
    if not isinstance(model, ir.Model):
        raise InvalidModelError("holds no model")
    _require_no_files(model)
    if not in_order:
        model.graph.sort()
    _drop_default_inputs(model)
    _hold_arrays(model, arrays)
    return model


def _require_no_files(model: ir.Model) -> None:
    """Refuse tensors that still refer to files: the allowed external data was read before, and other paths are not safe to open."""
    nodes = [*model.graph.all_nodes(), *(node for one in model.functions.values() for node in one.all_nodes())]
    attributes = [attribute for node in nodes for attribute in node.attributes.values()]
    attributes += [attribute for one in model.functions.values() for attribute in one.attributes.values()]
    for attribute in attributes:
        if attribute.type in _NUMBERS:
            continue
        held = attribute.value if isinstance(attribute.value, list | tuple) else (attribute.value,)
        if any(isinstance(tensor, ir.ExternalTensor) for tensor in held):
            raise InvalidModelError(f"attribute {attribute.name!r} lies in another file")


def _hold_arrays(model: ir.Model, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give every initializer an array, from `arrays` where it is there: protobuf tensors are decoded again at every access."""
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is None or isinstance(tensor, ir.StringTensor):
            continue
        dtype = tensor.dtype
        if dtype.bitwidth >= 8:
            array = arrays[name] if name in arrays else tensor.numpy()
            value.const_value = ir.Tensor(array, dtype=dtype, shape=ir.Shape(array.shape), name=name)
            value.shape = value.shape or ir.Shape(array.shape)


def _drop_default_inputs(model: ir.Model) -> None:
    """Remove initializers from the inputs: before IR version 4 every weight had to be listed there too."""
    inputs = model.graph.inputs
    real = [value for value in inputs if not value.is_initializer()]
    if len(real) < len(inputs):
        inputs.clear()
        inputs.extend(real)
        model.ir_version = max(model.ir_version, 4)
