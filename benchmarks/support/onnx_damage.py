"""Random damage to an ONNX file: to its bytes, or to one of the parts of the model."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

T = TypeVar("T")
Rng = np.random.Generator
Damage = Callable[[onnx.ModelProto, Rng], None]

NUMBERS = (0, 1, -1, 2, 7, -2, 63, 255, 2**31 - 1, 2**31, 2**40, -(2**40), 2**62, 2**63 - 1, -(2**63))
FRACTIONS = (0.0, -0.0, 1.0, -1.0, 1e-45, 3e38, float("inf"), float("-inf"), float("nan"))
NAMES = (
    "",
    "x",
    "y",
    "h",
    "w",
    "\x1b[31mred\x1b[0m",
    "a\nb",
    "\r",
    "\u202e",
    "名",
    "a" * 5000,
    "$\\frac{$",
    "[bold]",
    "../..",
    "\0",
)
VERSIONS = (0, 1, 5, 6, 7, 9, 12, 13, 17, 21, 23, 26, 99, -1, 2**40)
OPERATORS = tuple(sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}))
MARK = "\x01mark\x01"
"""A name that is replaced in the file by bytes that are not UTF-8, which protobuf would not write."""


def damaged(model: onnx.ModelProto, rng: Rng) -> bytes:
    """The bytes of a copy of the model with one to three damages; one file in four is damaged in its bytes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    times = int(rng.integers(1, 4))
    if rng.random() < 0.25:
        data = copy.SerializeToString()
        for _ in range(times):
            data = _one(BYTE_DAMAGES, rng)(data, rng)
        return data
    for _ in range(times):
        _one(DAMAGES, rng)(copy, rng)
    return copy.SerializeToString().replace(MARK.encode(), b"\xff\xc3(\xed\xa0")


def _one(choices: Sequence[T], rng: Rng) -> T:
    return choices[int(rng.integers(len(choices)))]


# Bytes


def _flip(data: bytes, rng: Rng) -> bytes:
    if not data:
        return data
    place = int(rng.integers(len(data)))
    return data[:place] + bytes([data[place] ^ (1 << int(rng.integers(8)))]) + data[place + 1 :]


def _insert(data: bytes, rng: Rng) -> bytes:
    place, more = int(rng.integers(len(data) + 1)), rng.integers(256, size=int(rng.integers(1, 9)), dtype=np.uint8)
    return data[:place] + more.tobytes() + data[place:]


def _cut_end(data: bytes, rng: Rng) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _cut_piece(data: bytes, rng: Rng) -> bytes:
    start = int(rng.integers(len(data) + 1))
    return data[:start] + data[start + int(rng.integers(1, 65)) :]


def _repeat_piece(data: bytes, rng: Rng) -> bytes:
    start = int(rng.integers(len(data) + 1))
    end = start + int(rng.integers(1, 257))
    return data[:end] + data[start:]


def _largest_varint(data: bytes, rng: Rng) -> bytes:
    place = int(rng.integers(len(data) + 1))
    return data[:place] + b"\xff" * 9 + b"\x01" + data[place + 1 :]


BYTE_DAMAGES = (_flip, _flip, _flip, _insert, _cut_end, _cut_piece, _repeat_piece, _largest_varint)


# Parts of the model


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The main graph and the graphs in attributes."""
    pending = [model.graph]
    while pending:
        graph = pending.pop()
        yield graph
        pending.extend(attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g"))


def _nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    found = [node for graph in _graphs(model) for node in graph.node]
    return found + [node for function in model.functions for node in function.node]


def _tensors(model: onnx.ModelProto) -> list[TensorProto]:
    found = [tensor for graph in _graphs(model) for tensor in graph.initializer]
    found += [
        part for graph in _graphs(model) for one in graph.sparse_initializer for part in (one.values, one.indices)
    ]
    return found + [attribute.t for node in _nodes(model) for attribute in node.attribute if attribute.HasField("t")]


def _values(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    return [value for graph in _graphs(model) for value in (*graph.input, *graph.output, *graph.value_info)]


def _names(model: onnx.ModelProto) -> list[str]:
    found = [name for node in _nodes(model) for name in (*node.input, *node.output)]
    return [*found, *(value.name for value in _values(model)), *(tensor.name for tensor in _tensors(model))] or [""]


def _attributes(model: onnx.ModelProto) -> list[AttributeProto]:
    return [attribute for node in _nodes(model) for attribute in node.attribute]


def _any_name(model: onnx.ModelProto, rng: Rng) -> str:
    return MARK if rng.random() < 0.1 else _one((*NAMES, *_names(model)), rng)


def _value(rng: Rng) -> object:
    """A random value that an attribute may hold."""
    numbers = [int(_one(NUMBERS, rng)) for _ in range(int(rng.integers(6)))]
    dims = [int(rng.integers(1, 4)) for _ in range(int(rng.integers(3)))]
    choices: tuple[Callable[[], object], ...] = (
        lambda: _one(NUMBERS, rng),
        lambda: _one(FRACTIONS, rng),
        lambda: _one(("", "SAME_UPPER", "VALID", "constant", "linear", "ii->i", "reverse", "\x1b[2J"), rng),
        lambda: numbers or [1],
        lambda: [float(_one(FRACTIONS, rng)) for _ in range(3)],
        lambda: ["Relu", "Nonsense"],
        lambda: numpy_helper.from_array(np.ones(dims, np.float32)),
    )
    return _one(choices, rng)()


def _change_attribute(model: onnx.ModelProto, rng: Rng) -> None:
    """Another value, often of another type."""
    found = _attributes(model)
    if found:
        attribute = _one(found, rng)
        attribute.CopyFrom(helper.make_attribute(attribute.name, _value(rng)))


def _shift_attribute(model: onnx.ModelProto, rng: Rng) -> None:
    """Another number of the same type."""
    found = [attribute for attribute in _attributes(model) if attribute.ints or attribute.type == AttributeProto.INT]
    if not found:
        return
    attribute = _one(found, rng)
    if attribute.ints and rng.random() < 0.7:
        attribute.ints[int(rng.integers(len(attribute.ints)))] = _one(NUMBERS, rng)
    elif attribute.ints:
        attribute.ints.extend([_one(NUMBERS, rng)] * int(rng.integers(1, 70)))
    else:
        attribute.i = _one(NUMBERS, rng)


def _change_attribute_type(model: onnx.ModelProto, rng: Rng) -> None:
    """Change only the stated type, so that it differs from the field that is set."""
    found = _attributes(model)
    if found:
        _one(found, rng).type = int(rng.integers(15))  # type: ignore[assignment]


def _add_attribute(model: onnx.ModelProto, rng: Rng) -> None:
    known = (
        "axis axes group pads strides dilations kernel_shape perm hidden_size direction to alpha value epsilon keepdims"  # noqa: SIM905
        " auto_pad blocksize transB batch_dims layout mode size activations".split()
    )
    nodes = _nodes(model)
    if nodes:
        _one(nodes, rng).attribute.append(helper.make_attribute(_one(known, rng), _value(rng)))


def _drop_attribute(model: onnx.ModelProto, rng: Rng) -> None:
    nodes = [node for node in _nodes(model) if node.attribute]
    if nodes:
        node = _one(nodes, rng)
        del node.attribute[int(rng.integers(len(node.attribute)))]


def _change_operator(model: onnx.ModelProto, rng: Rng) -> None:
    nodes = _nodes(model)
    if nodes:
        node = _one(nodes, rng)
        node.op_type = _one((*OPERATORS, *NAMES), rng) if rng.random() < 0.9 else MARK
        if rng.random() < 0.1:
            node.domain = _one(("my", "com.microsoft", "ai.onnx", "ai.onnx.ml", "\n"), rng)


def _change_wires(model: onnx.ModelProto, rng: Rng) -> None:
    nodes = _nodes(model)
    if not nodes:
        return
    node = _one(nodes, rng)
    side = node.input if rng.random() < 0.75 else node.output
    action = rng.integers(4)
    if action == 0 or not side:
        side.append(_any_name(model, rng))
    elif action == 1:
        del side[int(rng.integers(len(side)))]
    elif action == 2:
        side[int(rng.integers(len(side)))] = _any_name(model, rng)
    else:
        mixed = [side[place] for place in rng.permutation(len(side))]
        del side[:]
        side.extend(mixed)


def _change_node(model: onnx.ModelProto, rng: Rng) -> None:
    """Remove, repeat, move or rename a node."""
    graph = _one(list(_graphs(model)), rng)
    if not graph.node:
        return
    place, action = int(rng.integers(len(graph.node))), rng.integers(4)
    if action == 0:
        del graph.node[place]
    elif action == 1:
        graph.node.insert(int(rng.integers(len(graph.node))), graph.node[place])
    elif action == 2:
        node = onnx.NodeProto()
        node.CopyFrom(graph.node[place])
        del graph.node[place]
        graph.node.insert(int(rng.integers(len(graph.node) + 1)), node)
    else:
        graph.node[place].name = _any_name(model, rng)


def _change_dims(model: onnx.ModelProto, rng: Rng) -> None:
    """Change one size of an initializer, or add or remove an axis, without changing its data."""
    found = _tensors(model)
    if not found:
        return
    dims = _one(found, rng).dims
    if dims and rng.random() < 0.7:
        dims[int(rng.integers(len(dims)))] = _one((*NUMBERS, *dims), rng)
    elif dims and rng.random() < 0.5:
        del dims[int(rng.integers(len(dims)))]
    else:
        dims.append(_one(NUMBERS, rng))


def _reshape_weight(model: onnx.ModelProto, rng: Rng) -> None:
    """Replace an initializer by a valid one of another shape or type."""
    found = [tensor for graph in _graphs(model) for tensor in graph.initializer]
    if found:
        tensor = _one(found, rng)
        shape = [int(rng.integers(0, 9)) for _ in range(int(rng.integers(5)))]
        dtype = _one((np.float32, np.float32, np.int64, np.float16, np.float64, np.bool_, np.int8), rng)
        tensor.CopyFrom(numpy_helper.from_array((rng.random(shape) * 3).astype(dtype), tensor.name))


def _change_data(model: onnx.ModelProto, rng: Rng) -> None:
    """Extreme numbers in an initializer, mostly in integer ones, which are shapes, axes and indices; the shape stays."""
    found = [tensor for tensor in _tensors(model) if tensor.data_type == TensorProto.INT64 or rng.random() < 0.2]
    if not found:
        return
    tensor = _one(found, rng)
    if tensor.data_location == TensorProto.EXTERNAL:
        return
    try:
        array = np.array(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, RuntimeError, KeyError):  # damaged before
        return
    if array.size and array.dtype.kind in "if":
        number = _one(
            NUMBERS if array.dtype == np.int64 else FRACTIONS if array.dtype.kind == "f" else (0, -1, 100), rng
        )
        array.reshape(-1)[int(rng.integers(array.size))] = number
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _change_storage(model: onnx.ModelProto, rng: Rng) -> None:
    """Data of an initializer in another field, partly gone, of another type, or in another file."""
    found = _tensors(model)
    if not found:
        return
    tensor, action = _one(found, rng), rng.integers(5)
    if action == 0:
        tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data) + 1))]
    elif action == 1:
        tensor.data_type = _one((*range(-1, 27), 2**31 - 1), rng)  # type: ignore[assignment]
    elif action == 2:
        tensor.float_data.extend([1.0] * int(rng.integers(1, 5)))
    elif action == 3:
        tensor.ClearField("raw_data")
    else:
        tensor.data_location = TensorProto.EXTERNAL
        key = _one(("location", "offset", "length", "checksum"), rng)
        tensor.external_data.add(
            key=key, value=_one(("weights.bin", "../weights.bin", "/etc/passwd", "-1", "99999999999", *NAMES), rng)
        )


def _change_value(model: onnx.ModelProto, rng: Rng) -> None:
    """Stated shape, type or name of an input, an output or a value between."""
    found = _values(model)
    if not found:
        return
    value, action = _one(found, rng), rng.integers(6)
    tensor = value.type.tensor_type
    if action == 0:
        value.name = _any_name(model, rng)
    elif action == 1:
        tensor.elem_type = _one((*range(-1, 27), 2**31 - 1), rng)
    elif action == 2:
        tensor.ClearField("shape")
    elif action == 3:
        value.ClearField("type")
    elif tensor.shape.dim and action == 4:
        _one(tensor.shape.dim, rng).dim_value = _one(NUMBERS, rng)
    else:
        tensor.shape.dim.add(dim_value=_one(NUMBERS, rng))


def _claim_shape(model: onnx.ModelProto, rng: Rng) -> None:
    """A value between nodes of which the file states a shape of its own."""
    names = [name for node in model.graph.node for name in node.output]
    if names:
        shape = [
            int(_one(NUMBERS, rng)) if rng.random() < 0.5 else int(rng.integers(1, 65))
            for _ in range(int(rng.integers(5)))
        ]
        model.graph.value_info.append(helper.make_tensor_value_info(_one(names, rng), TensorProto.FLOAT, shape))


def _change_version(model: onnx.ModelProto, rng: Rng) -> None:
    action = rng.integers(4)
    if action == 0:
        model.ir_version = _one(VERSIONS, rng)
    elif action == 1 or not model.opset_import:
        model.opset_import.add(domain=_one(("", "ai.onnx", "my", "\0"), rng), version=_one(VERSIONS, rng))
    elif action == 2:
        _one(model.opset_import, rng).version = _one(VERSIONS, rng)
    else:
        del model.opset_import[int(rng.integers(len(model.opset_import)))]


def _change_function(model: onnx.ModelProto, rng: Rng) -> None:
    """A function that calls itself or another one, or has other inputs, outputs, attributes or imports."""
    if not model.functions:
        name = _one([node.op_type for node in _nodes(model)] or ["Relu"], rng)
        body = [helper.make_node(_one(OPERATORS, rng), ["a"], ["b"])]
        model.functions.append(
            helper.make_function(_one(("", "my"), rng), name, ["a"], ["b"], body, model.opset_import)
        )
        return
    function, action = _one(model.functions, rng), rng.integers(5)
    other = _one(model.functions, rng)
    if action == 0:
        function.node.append(
            helper.make_node(other.name, list(function.input), list(function.output), domain=other.domain)
        )
    elif action == 1:
        _one((function.input, function.output), rng).append(_any_name(model, rng))
    elif action == 2:
        function.attribute.append(_any_name(model, rng))
    elif action == 3:
        del function.opset_import[:]
    else:
        function.name, function.domain = _any_name(model, rng), _one(("", "my"), rng)


def _change_sparse(model: onnx.ModelProto, rng: Rng) -> None:
    found = [one for graph in _graphs(model) for one in graph.sparse_initializer]
    found += [attribute.sparse_tensor for attribute in _attributes(model) if attribute.HasField("sparse_tensor")]
    if not found:
        return
    dims = _one(found, rng).dims
    if dims and rng.random() < 0.7:
        dims[int(rng.integers(len(dims)))] = _one(NUMBERS, rng)
    else:
        dims.append(_one(NUMBERS, rng))


def _add_growth(model: onnx.ModelProto, rng: Rng) -> None:
    """Insert 32 nodes, each of which enlarges its input, between an input of a node and the node that made it."""
    nodes = [node for node in model.graph.node if node.input]
    if not nodes:
        return
    node = _one(nodes, rng)
    place = int(rng.integers(len(node.input)))
    name, shape = (
        node.input[place],
        numpy_helper.from_array(np.array(_one(([2**20, 2**20], [2**40], [4096, 4096]), rng)), "huge"),
    )
    model.graph.initializer.append(shape)
    made = _one(
        (
            lambda x: helper.make_node("Concat", [x, x], [], axis=0),
            lambda x: helper.make_node("Gather", [x, x], []),
            lambda x: helper.make_node("MatMul", [x, x], []),
            lambda x: helper.make_node("Expand", [x, "huge"], []),
            lambda x: helper.make_node("Tile", [x, "huge"], []),
            lambda x: helper.make_node("ConstantOfShape", ["huge"], []),
            lambda x: helper.make_node("Unsqueeze", [x, "huge"], []),
            lambda x: helper.make_node("Softmax", [x], []),
            lambda x: helper.make_node("Pad", [x, "huge"], []),
            lambda x: helper.make_node("Reshape", [x, "huge"], []),
            lambda x: helper.make_node("SequenceConstruct", [x, x], []),
            lambda x: helper.make_node("Optional", [x], []),
            lambda x: helper.make_node("StringConcat", [x, x], []),
        ),
        rng,
    )
    for number in range(32 if rng.random() < 0.5 else 1):
        new = made(name)
        new.output.append(f"grown{number}")
        model.graph.node.insert(number, new)
        name = f"grown{number}"
    node.input[place] = name


DAMAGES: tuple[Damage, ...] = (
    _change_attribute,
    _change_attribute,
    _shift_attribute,
    _shift_attribute,
    _change_attribute_type,
    _add_attribute,
    _drop_attribute,
    _change_operator,
    _change_operator,
    _change_wires,
    _change_wires,
    _change_node,
    _change_dims,
    _reshape_weight,
    _reshape_weight,
    _change_data,
    _change_data,
    _change_storage,
    _change_value,
    _change_value,
    _claim_shape,
    _change_version,
    _change_function,
    _change_sparse,
    _add_growth,
)
