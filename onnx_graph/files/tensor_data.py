"""Tensors of a protobuf model: data checked against the declared shape, external and sparse tensors made dense and internal."""

from math import prod
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.errors import InvalidModelError
from onnx_graph.files.model_parts import ModelParts

MAX_BYTES = 2**31 - 1  # protobuf's own limit for a message
SMALL = 1024  # bytes up to which a tensor may be a shape or axes, which shape inference reads
_MOST_AXES = 64  # that an array may have
_LONGEST_EMPTY = 1 << 24  # product of the non-zero sizes of an empty tensor
_DENSE_BYTES = 1 << 27
_DENSER = 100
"""A dense tensor made from a sparse one has at most `_DENSE_BYTES` bytes, or `_DENSER` times the bytes of the sparse one."""
_TYPES = {int(dtype): dtype for dtype in ir.DataType if dtype != ir.DataType.UNDEFINED}
_FIELDS = {  # int32_data holds the rest: INT32, and all of up to 16 bits
    "FLOAT": ("float_data", 1),
    "COMPLEX64": ("float_data", 2),
    "DOUBLE": ("double_data", 1),
    "COMPLEX128": ("double_data", 2),
    "INT64": ("int64_data", 1),
    "UINT32": ("uint64_data", 1),
    "UINT64": ("uint64_data", 1),
}


def make_plain(model: onnx.ModelProto, parts: ModelParts, folder: Path | None) -> dict[str, NDArray[Any]]:
    """Check every tensor, read external ones (only inside ``folder``; none without a folder) and make sparse ones dense, in place.

    Returns:
        Arrays of the graph's initializers with raw bytes, by name. Raw bytes of more than `SMALL` bytes are removed from
        the protobuf, because every access to them there makes a copy.

    Raises:
        InvalidModelError: data and declared shape differ, external data is missing or outside the folder, or all
            dense bytes together would exceed 2 GiB.
    """
    total = _make_dense(parts, folder)
    inner = [tensor for graph in parts.graphs if graph is not model.graph for tensor in graph.initializer]
    for tensor in (*model.graph.initializer, *inner, *parts.tensors):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            total += _byte_count(tensor)
            if total > MAX_BYTES:
                raise InvalidModelError(f"external data of more than 2 GiB, reached at tensor {tensor.name!r}")
            _read_external(tensor, folder)
    for tensor in (*inner, *parts.tensors):
        _checked(tensor)
    return _arrays(model.graph)


def _make_dense(parts: ModelParts, folder: Path | None) -> int:
    """Turn sparse tensors into dense ones; returns the total bytes of the dense ones."""
    total = 0
    for graph in parts.graphs:
        while graph.sparse_initializer:
            sparse = graph.sparse_initializer.pop()
            graph.initializer.add().CopyFrom(_dense(sparse, MAX_BYTES - total, folder))
            total += len(graph.initializer[-1].raw_data)
    for attribute in parts.sparse:
        dense = _dense(attribute.sparse_tensor, MAX_BYTES - total, folder)
        total += len(dense.raw_data)
        attribute.ClearField("sparse_tensor")
        attribute.name, attribute.type = "value", onnx.AttributeProto.TENSOR
        attribute.t.CopyFrom(dense)
        parts.tensors.append(attribute.t)
    return total


def _arrays(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    """Check the initializers and move their bytes out of the protobuf."""
    arrays: dict[str, NDArray[Any]] = {}
    for tensor in graph.initializer:
        data, dtype = _checked(tensor), _type_of(tensor)
        if data and dtype.bitwidth >= 8:
            little = dtype.numpy().newbyteorder("<")
            arrays[tensor.name] = np.frombuffer(data, little).reshape(tuple(tensor.dims))
            if len(data) > SMALL:
                tensor.ClearField("raw_data")
    return arrays


def _type_of(tensor: onnx.TensorProto) -> ir.DataType:
    dtype = _TYPES.get(tensor.data_type)
    if dtype is None:
        raise InvalidModelError(f"tensor {tensor.name!r} has the unknown data type {tensor.data_type}")
    return dtype


def _elements(tensor: onnx.TensorProto) -> int:
    if any(dim < 0 for dim in tensor.dims):
        raise InvalidModelError(f"tensor {tensor.name!r} has a negative dimension: {list(tensor.dims)}")
    # An empty array can have long axes, and data made for every position along an axis must fit into memory.
    elements = int(prod(tensor.dims))
    if (
        len(tensor.dims) > _MOST_AXES
        or elements >> 58
        or (not elements and prod(filter(None, tensor.dims)) > _LONGEST_EMPTY)
    ):
        raise InvalidModelError(f"tensor {tensor.name!r} has a shape that no array can have: {list(tensor.dims)[:8]}")
    return elements


def _byte_count(tensor: onnx.TensorProto) -> int:
    dtype = _type_of(tensor)
    if dtype == ir.DataType.STRING:
        raise InvalidModelError(f"tensor {tensor.name!r}: strings cannot be stored as raw or external bytes")
    return (_elements(tensor) * dtype.bitwidth + 7) // 8


def _checked(tensor: onnx.TensorProto) -> bytes:
    """The raw bytes of a tensor, empty if its data is in another field; raises unless the declared shape fits the data."""
    if tensor.HasField("segment"):
        raise InvalidModelError(f"tensor {tensor.name!r} is split into segments, which nothing reads")
    dtype = _type_of(tensor)
    data: bytes = b""
    if tensor.HasField("raw_data"):
        data = tensor.raw_data
        found, expected, unit = len(data), _byte_count(tensor), "bytes"
    elif dtype == ir.DataType.STRING:
        found, expected, unit = len(tensor.string_data), _elements(tensor), "strings"
    elif dtype == ir.DataType.INT32 or dtype.bitwidth <= 16:
        per_entry = max(1, 8 // dtype.bitwidth)
        found, expected, unit = len(tensor.int32_data), -(-_elements(tensor) // per_entry), "numbers"
    else:
        field, factor = _FIELDS[dtype.name]
        found, expected, unit = len(getattr(tensor, field)), _elements(tensor) * factor, "numbers"
    if found != expected:
        raise InvalidModelError(
            f"tensor {tensor.name!r} of type {dtype.name} and shape {list(tensor.dims)} needs {expected} {unit}, but has {found}"
        )
    return data


def _read_external(tensor: onnx.TensorProto, folder: Path | None) -> None:
    """Move external bytes into ``raw_data``. Only regular files below the folder are opened, after links are resolved."""
    if folder is None:
        raise InvalidModelError(f"tensor {tensor.name!r} lies in another file: give the path of the model's file")
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    windows = PureWindowsPath(location)  # splits at both kinds of slash
    if not location or "\0" in location or windows.is_absolute() or windows.anchor or ".." in windows.parts:
        raise InvalidModelError(
            f"tensor {tensor.name!r}: external data {location!r} must be a path below the model's folder"
        )
    try:
        path = (folder / location).resolve()
        inside, regular = path.is_relative_to(folder.resolve()), path.is_file()
        size = path.stat().st_size if inside and regular else 0
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise InvalidModelError(
            f"tensor {tensor.name!r}: external data {location!r} cannot be found ({error})"
        ) from error
    if not inside:
        raise InvalidModelError(f"tensor {tensor.name!r}: external data {location!r} leads out of the model's folder")
    if not regular:
        raise InvalidModelError(f"tensor {tensor.name!r}: external data file {location!r} is missing beside the model")
    expected = _byte_count(tensor)
    offset, length = _number(entries, "offset", 0, tensor), _number(entries, "length", expected, tensor)
    if length != expected or offset + length > size:
        raise InvalidModelError(
            f"tensor {tensor.name!r} needs {expected} bytes of {location!r} from byte {offset}; "
            f"declared are {length}, the file has {size}"
        )
    with path.open("rb") as file:
        file.seek(offset)
        tensor.raw_data = file.read(length)
    tensor.ClearField("external_data")
    tensor.data_location = onnx.TensorProto.DEFAULT


def _number(entries: dict[str, str], key: str, default: int, tensor: onnx.TensorProto) -> int:
    text = entries.get(key, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidModelError(f"tensor {tensor.name!r}: external data {key} must be a whole number, not {text!r}")
    return int(text)


def _dense(sparse: onnx.SparseTensorProto, limit: int, folder: Path | None) -> onnx.TensorProto:
    """The dense form of a sparse tensor. onnx_ir drops sparse initializers without a warning."""
    name, dims = sparse.values.name, tuple(sparse.dims)
    if any(dim < 0 for dim in dims):
        raise InvalidModelError(f"sparse tensor {name!r} has a negative dimension: {list(dims)}")
    for part in (sparse.values, sparse.indices):
        if part.data_location == onnx.TensorProto.EXTERNAL:
            if _byte_count(part) > limit:
                raise InvalidModelError(f"sparse tensor {name!r} would take more than 2 GiB")
            _read_external(part, folder)
        _checked(part)
    dtype = _type_of(sparse.values)
    if (
        dtype == ir.DataType.STRING
        or dtype.bitwidth < 8
        or _type_of(sparse.indices) not in (ir.DataType.INT64, ir.DataType.INT32)
    ):
        raise InvalidModelError(f"sparse tensor {name!r} must hold numbers at int64 indices")
    size, stored = prod(dims) * dtype.itemsize, sparse.values.ByteSize() + sparse.indices.ByteSize()
    if size > min(limit, max(_DENSE_BYTES - (MAX_BYTES - limit), _DENSER * stored)):
        raise InvalidModelError(
            f"sparse tensor {name!r} of shape {list(dims)} holds {sparse.values.ByteSize():,} bytes of numbers, and would take "
            f"{_shown(size)} bytes as a dense one: too many"
        )
    values = ir.serde.deserialize_tensor(sparse.values).numpy()
    flat = _flat_indices(ir.serde.deserialize_tensor(sparse.indices).numpy().astype(np.int64), dims, values.size, name)
    dense = np.zeros(prod(dims), values.dtype)
    dense[flat] = values.ravel()
    return ir.serde.serialize_tensor(ir.Tensor(dense.reshape(dims), dtype=dtype, name=name))


def _shown(count: int) -> str:
    return f"{count:,}" if count < 10**15 else "more than 10^15"


def _flat_indices(indices: np.ndarray, dims: tuple[int, ...], count: int, name: str) -> np.ndarray:
    """Linear indices of a sparse tensor's values from either form, ``(nnz,)`` or ``(nnz, rank)``."""
    sizes: int | np.ndarray = prod(dims) if indices.ndim == 1 else np.array(dims, np.int64)
    if indices.shape not in ((count,), (count, len(dims))) or (indices < 0).any() or (indices >= sizes).any():
        raise InvalidModelError(
            f"sparse tensor {name!r} has indices that do not fit its shape {list(dims)} or its {count} values"
        )
    if indices.ndim == 1:
        return indices
    flat: np.ndarray = np.ravel_multi_index(tuple(indices.T), dims) if count else np.zeros(0, np.int64)
    return flat
