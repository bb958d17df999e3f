"""Making the batch axis free in a graph that was exported for one batch size.

Exporters write the size of the example batch into the targets of Reshape and Expand, into initial states and into
constants that are repeated for each example. Here the axis is followed from the input through every node: shapes are
inferred once for the size in the file and once for another size, and an axis whose size differs is the batch axis.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.errors import FixedBatchError
from onnx_graph.operators import operator_of
from onnx_graph.weight import initializer_of, integer, name_of

BATCH = "N"
"""Name of the free axis."""

_KNOWN_ELEMENTS = 1 << 10  # of an integer constant that shape inference may read
_INFERENCE_ERRORS = (
    onnx.shape_inference.InferenceError,
    onnx.checker.ValidationError,
    onnx.defs.SchemaError,  # an operator or version that is not in the standard
    RuntimeError,
    ValueError,
    TypeError,
)

_TRIES = 64  # ways to read the Reshapes of a batch of one

Shape = tuple[int, ...]


def fixed_batch(model: ir.Model) -> int | None:
    """The fixed batch size of a model's input; None if it is free or unknown, or if there are several inputs."""
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    if len(inputs) != 1 or not inputs[0].shape:
        return None
    size = inputs[0].shape[0]
    return size if isinstance(size, int) and all(isinstance(other, int) for other in inputs[0].shape) else None


def free_batch(model: ir.Model) -> ir.Model:
    """A copy that takes any number of examples, or the model itself if it already does or has several inputs.

    The model must be simple (`onnx_graph.simplify`). The graph does not prove that examples are still computed
    independently of each other: to be sure, compare the outputs for two batch sizes.

    Raises:
        FixedBatchError: names the node that needs the batch size of the file.
    """
    size = fixed_batch(model)
    if size is None:
        return model
    choices: list[int] = []
    first: FixedBatchError | None = None
    for _ in range(_TRIES):
        walk = _Walk(model.clone(), size, choices)
        try:
            return walk.run()
        except FixedBatchError as error:
            first = first or error
            following = walk.next_choices()
            if following is None:
                break
            choices = following
    raise first or FixedBatchError(f"the model is fixed to a batch of {size}")


@dataclass(frozen=True)
class _Place:
    """The position of the batch in a tensor: ``axis`` has ``factor`` entries for each example, the last ``inner`` of them side by side."""

    axis: int
    factor: int = 1
    inner: int = 1


@dataclass(frozen=True)
class _Known:
    """A value that depends on the input: its shape for the batch of the file and for another one, and its element type."""

    shape: Shape
    other: Shape
    type: int
    place: _Place


class _Walk:
    """A walk that follows the batch axis through all nodes of a graph and removes dependences on its size.

    With a batch of one, a Reshape does not always determine the batch axis. `choices` gives, for each Reshape in turn, the
    number of the candidate axis to take; Reshapes beyond its end take the first candidate.
    """

    def __init__(self, model: ir.Model, size: int, choices: Sequence[int] = ()) -> None:
        self.model, self.size = model, size
        self._choices = list(choices)
        self._taken: list[tuple[int, int]] = []  # for each Reshape: the choice, and the number of candidates
        self.probe = size + 5  # any other size: shapes are only compared
        self.known: dict[ir.Value, _Known] = {}
        self._batch: ir.Value | None = None

    def next_choices(self) -> list[int] | None:
        """The choices to try after those of this walk; None if all were tried."""
        for position in reversed(range(len(self._taken))):
            choice, count = self._taken[position]
            if choice + 1 < count:
                return [taken for taken, _ in self._taken[:position]] + [choice + 1]
        return None

    def run(self) -> ir.Model:
        """Change the graph in place; returns the model."""
        graph = self.model.graph
        source = next(value for value in graph.inputs if not value.is_initializer())
        shape = tuple(size for size in source.shape or () if isinstance(size, int))  # `fixed_batch`: all are
        kind = int(source.dtype or ir.DataType.FLOAT)
        self.known[source] = _Known(shape, (self.probe, *shape[1:]), kind, _Place(0))
        for node in list(graph):
            if any(value in self.known for value in node.inputs):
                self._follow(node)
        for value, known in self.known.items():
            _state_shape(value, known)
        for value in graph.outputs:
            if value not in self.known:
                raise FixedBatchError(f"the output {value.name!r} does not depend on the input")
            if self.known[value].place != _Place(0):
                raise FixedBatchError(
                    f"the model is fixed to a batch of {self.size}, and the examples do not lie along the first axis of its "
                    f"output {value.name!r}"
                )
        return self.model

    # --- one node -------------------------------------------------------------------------------------------------

    def _follow(self, node: ir.Node) -> None:
        operator = node.op_type if node.domain in ("", "ai.onnx") else ""
        if operator == "Reshape":
            self._reshape(node)
            return
        if operator == "Expand":
            self._loosen_target(node)
        elif operator_of(node).gates:
            self._loosen_states(node)
        elif operator == "Concat":
            self._repeat_operands(node)
        else:
            self._cut_operands(node)
        shapes, others = self._inferred(node, other=False), self._inferred(node, other=True)
        for value in node.outputs:
            name = value.name or ""
            if name in shapes and name in others:
                (shape, kind), (other, _) = shapes[name], others[name]
                self.known[value] = _Known(shape, other, kind, self._place(node, shape, other))

    def _place(self, node: ir.Node, shape: Shape, other: Shape) -> _Place:
        """The batch axis of an output."""
        changed = [axis for axis, (a, b) in enumerate(zip(shape, other, strict=False)) if a != b]
        if len(shape) != len(other) or len(changed) != 1:
            raise self._refuse(node, "its result does not keep one axis for the examples")
        axis = changed[0]
        factor, rest = divmod(shape[axis], self.size)
        if rest or other[axis] != factor * self.probe:
            raise self._refuse(node, "its result has a size that does not grow with the batch")
        places = [self.known[value].place for value in node.inputs if value in self.known]
        inner = next((place.inner for place in places if place.factor == factor), 1 if factor == 1 else 0)
        if not inner or (operator_of(node).kind == "softmax" and axis == self._normalised_axis(node, len(shape))):
            raise self._refuse(node, "it joins the examples of a batch")
        return _Place(axis, factor, inner)

    def _normalised_axis(self, node: ir.Node, rank: int) -> int:
        """The axis of a Softmax; before opset 13, the first of the axes that it combines."""
        default = 1 if self.model.opset_imports.get("", 1) < 13 else -1
        return integer(node, "axis", default) % rank

    def _reshape(self, node: ir.Node) -> None:
        """Give the Reshape a target in which the batch axis is open. A Reshape keeps the distance of two elements in memory."""
        known = self.known.get(node.inputs[0]) if node.inputs[0] is not None else None
        target = _integers(node.inputs[1]) if len(node.inputs) > 1 else None
        if known is None or target is None:
            raise self._refuse(node, "its target is computed")
        shape = _resolved(target, known.shape, keep_zero=bool(integer(node, "allowzero", 0)))
        if shape is None or math.prod(shape) != math.prod(known.shape) or 0 in shape:
            raise self._refuse(node, f"its target {target} does not fit its input {list(known.shape)}")
        place = self._reshaped(known, shape)
        if place is None:
            raise self._refuse(node, "its target divides the examples of a batch")
        open_target = [-1 if axis == place.axis else size for axis, size in enumerate(shape)]
        node.replace_input_with(1, self._constant(node, np.array(open_target, np.int64), "target"))
        node.attributes.pop("allowzero", None)
        other = tuple(place.factor * self.probe if axis == place.axis else size for axis, size in enumerate(shape))
        self.known[node.outputs[0]] = _Known(shape, other, known.type, place)

    def _reshaped(self, known: _Known, shape: Shape) -> _Place | None:
        """The batch's place after a Reshape: the axis that covers the same strides in memory."""
        place = known.place
        stride = place.inner * math.prod(known.shape[place.axis + 1 :])
        found = []
        for axis, size in enumerate(shape):
            inside = math.prod(shape[axis + 1 :])
            if stride % inside == 0 and (inside * size) % (stride * self.size) == 0:
                found.append(_Place(axis, size // self.size, stride // inside))
        if not found:
            return None
        # Axes that contain only the batch come first, and among them the nearest one.
        found.sort(key=lambda p: (p.factor, abs(p.axis - place.axis)))
        number = len(self._taken)
        choice = self._choices[number] if number < len(self._choices) else 0
        self._taken.append((choice, len(found)))
        return found[choice]

    def _loosen_target(self, node: ir.Node) -> None:
        """Expand: 1 in place of the batch size takes the size of the input."""
        known, target = (
            self.known.get(node.inputs[0]) if node.inputs[0] is not None else None,
            _integers(node.inputs[1]),
        )
        if known is None or target is None:
            raise self._refuse(node, "its target is computed")
        axis = known.place.axis - len(known.shape) + len(target)
        if axis >= 0 and target[axis] == known.shape[known.place.axis]:
            changed = [1 if position == axis else size for position, size in enumerate(target)]
            node.replace_input_with(1, self._constant(node, np.array(changed, np.int64), "target"))

    def _loosen_states(self, node: ir.Node) -> None:
        """RNN, GRU, LSTM: initial states of zeros are removed, others are repeated for each example."""
        by_batch = bool(integer(node, "layout", 0))
        for index, axis in ((4, 0), (5, 0 if by_batch else 1), (6, 0 if by_batch else 1)):
            array = _array(node.inputs[index]) if index < len(node.inputs) else None
            if array is None or array.ndim <= axis or array.shape[axis] != self.size:
                continue
            if index > 4 and not array.any():
                node.replace_input_with(index, None)
            else:
                self._repeat(node, index, axis)
        while node.inputs and node.inputs[-1] is None:
            node.resize_inputs(len(node.inputs) - 1)

    def _repeat_operands(self, node: ir.Node) -> None:
        """Concat: a constant that is joined to every example is repeated for each."""
        ranks = {len(self.known[value].shape): self.known[value].place for value in node.inputs if value in self.known}
        (rank, place) = next(iter(ranks.items()))
        if place.axis == integer(node, "axis", 0) % rank:
            raise self._refuse(node, "it lengthens the batch")
        for index, value in enumerate(node.inputs):
            array = None if value in self.known else _array(value)
            if array is not None and array.ndim == rank and array.shape[place.axis] == place.factor * self.size:
                self._repeat(node, index, place.axis, place.factor)

    def _cut_operands(self, node: ir.Node) -> None:
        """Operators that broadcast: a constant with the same row for every example is replaced by one row."""
        if self.size == 1 or self._fits(node):
            return
        places = [(len(k.shape), k.place) for k in (self.known[v] for v in node.inputs if v in self.known)]
        for index, value in enumerate(node.inputs):
            array = None if value in self.known else _array(value)
            if array is None:
                continue
            rank, place = max(places, key=lambda item: item[0])
            axis = place.axis - rank + array.ndim  # shapes are aligned at their ends
            if 0 <= axis < array.ndim and array.shape[axis] == place.factor * self.size:
                row = self._row(node, array, axis, 1)
                node.replace_input_with(index, self._constant(node, row, f"row{index}"))

    # --- constants ------------------------------------------------------------------------------------------------

    def _row(self, node: ir.Node, array: NDArray[np.generic], axis: int, factor: int) -> NDArray[np.generic]:
        """The part of a constant that is the same for every example."""
        row = array.take(range(factor), axis=axis)
        repeats = [array.shape[axis] // factor if i == axis else 1 for i in range(array.ndim)]
        if not np.array_equal(np.tile(row, repeats), array, equal_nan=array.dtype.kind == "f"):
            raise self._refuse(node, "it holds a constant that differs from example to example of the batch")
        return row

    def _repeat(self, node: ir.Node, index: int, axis: int, factor: int = 1) -> None:
        """Put an Expand to the batch size in front of a constant operand."""
        array = _array(node.inputs[index])
        if array is None or factor != 1:
            raise self._refuse(node, "it holds a constant for several entries of each example")
        row = self._row(node, array, axis, 1)
        sizes = [ir.tensor(np.array(part, np.int64)) for part in (row.shape[:axis], row.shape[axis + 1 :])]
        before, after = (self._constant(node, part.numpy(), "sizes") if part.size else None for part in sizes)
        parts = [part for part in (before, self._batch_size(), after) if part is not None]
        target = ir.Node("", "Concat", parts, [ir.AttrInt64("axis", 0)], name=f"{name_of(node)}.repeated_shape{index}")
        target.outputs[0].type, target.outputs[0].shape = ir.TensorType(ir.DataType.INT64), ir.Shape([array.ndim])
        row_value = self._constant(node, row, f"row{index}")
        expand = ir.Node("", "Expand", [row_value, target.outputs[0]], name=f"{name_of(node)}.repeated{index}")
        expand.outputs[0].type = ir.TensorType(ir.DataType(_element_type(array)))
        for made in (target, expand):
            made.outputs[0].name = made.name
        self.model.graph.insert_before(node, [target, expand])
        node.replace_input_with(index, expand.outputs[0])
        other = tuple(self.probe if i == axis else size for i, size in enumerate(array.shape))
        self.known[expand.outputs[0]] = _Known(array.shape, other, _element_type(array), _Place(axis))

    def _batch_size(self) -> ir.Value:
        """The number of examples, int64 ``(1,)``, computed from the input once."""
        if self._batch is None:
            graph = self.model.graph
            source = next(value for value in graph.inputs if not value.is_initializer())
            first = next(iter(graph))
            shape = ir.Node("", "Shape", [source], name="batch_shape")
            zero = self._constant(shape, np.array([0], np.int64), "axis")
            size = ir.Node("", "Gather", [shape.outputs[0], zero], [ir.AttrInt64("axis", 0)], name="batch_size")
            for made, length in ((shape, len(source.shape or ())), (size, 1)):
                made.outputs[0].name, made.outputs[0].shape = made.name, ir.Shape([length])
                made.outputs[0].type = ir.TensorType(ir.DataType.INT64)
            graph.insert_before(first, [shape, size])
            self._batch = size.outputs[0]
        return self._batch

    def _constant(self, node: ir.Node, array: NDArray[np.generic], what: str) -> ir.Value:
        """A new initializer, named after the node that reads it."""
        graph = self.model.graph
        name = f"{name_of(node)}.{what}"
        while name in graph.initializers:
            name += "_"
        value = ir.Value(name=name, const_value=ir.tensor(np.ascontiguousarray(array), name=name))
        value.shape, value.type = ir.Shape(array.shape), ir.TensorType(ir.DataType(_element_type(array)))
        graph.register_initializer(value)
        return value

    # --- shapes ---------------------------------------------------------------------------------------------------

    def _fits(self, node: ir.Node) -> bool:
        """Whether a node accepts the other batch size as it is."""
        try:
            shapes = self._infer(node, other=True)
        except _INFERENCE_ERRORS:
            return False
        return bool(shapes)

    def _inferred(self, node: ir.Node, *, other: bool) -> Mapping[str, tuple[Shape, int]]:
        try:
            return self._infer(node, other=other)
        except _INFERENCE_ERRORS as error:
            reason = str(error).strip().splitlines()[0]
            raise self._refuse(node, f"its shape cannot be told for another batch size ({reason})") from error

    def _infer(self, node: ir.Node, *, other: bool) -> Mapping[str, tuple[Shape, int]]:
        """Shapes and element types of a node's outputs, by name, for the batch of the file or the other one."""
        version = self.model.opset_imports.get(node.domain, self.model.opset_imports.get("", 1))
        schema = onnx.defs.get_schema(node.op_type, version, "" if node.domain == "ai.onnx" else node.domain)
        types: dict[str, onnx.TypeProto] = {}
        data: dict[str, onnx.TensorProto] = {}
        for value in node.inputs:
            if value is None or value.name is None:
                continue
            known, constant = self.known.get(value), initializer_of(value)
            if known is not None:
                types[value.name] = onnx.helper.make_tensor_type_proto(
                    known.type, known.other if other else known.shape
                )
            elif constant is not None and constant.const_value is not None:
                tensor = constant.const_value
                shape = tuple(tensor.shape.numpy())
                types[value.name] = onnx.helper.make_tensor_type_proto(int(tensor.dtype), shape)
                if math.prod(shape) <= _KNOWN_ELEMENTS and tensor.dtype != ir.DataType.STRING:
                    data[value.name] = onnx.numpy_helper.from_array(tensor.numpy(), value.name)
            elif value.dtype is not None and value.shape is not None and value.shape.is_static():
                types[value.name] = onnx.helper.make_tensor_type_proto(int(value.dtype), tuple(value.shape.numpy()))
            else:
                raise ValueError(f"nothing is known of its input {value.name!r}")
        opsets = [onnx.helper.make_opsetid(domain, number) for domain, number in self.model.opset_imports.items()]
        found = onnx.shape_inference.infer_node_outputs(
            schema, ir.to_proto(node), types, data, opset_imports=opsets, ir_version=10
        )
        return {name: read for name, type_ in found.items() if (read := _read(type_)) is not None}

    def _refuse(self, node: ir.Node, reason: str) -> FixedBatchError:
        return FixedBatchError(
            f"the model is fixed to a batch of {self.size}, and node {name_of(node)!r} ({node.op_type}) needs it: {reason}; "
            "export the model with a free batch axis (dynamic_shapes, or nas.from_torch)"
        )


def _read(type_: onnx.TypeProto) -> tuple[Shape, int] | None:
    tensor = type_.tensor_type
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return tuple(dim.dim_value for dim in tensor.shape.dim), tensor.elem_type


def _resolved(target: Sequence[int], shape: Shape, *, keep_zero: bool) -> Shape | None:
    """The sizes that a Reshape gives, with 0 and -1 replaced; None if the target does not fit."""
    if any(size == 0 and axis >= len(shape) for axis, size in enumerate(target)):
        return None
    sizes = [shape[axis] if size == 0 and not keep_zero else size for axis, size in enumerate(target)]
    stated = math.prod(size for size in sizes if size != -1)
    if sizes.count(-1) > 1 or any(size < -1 for size in sizes) or (-1 in sizes and not stated):
        return None
    return tuple(math.prod(shape) // stated if size == -1 else size for size in sizes)


def _state_shape(value: ir.Value, known: _Known) -> None:
    place = known.place
    sizes: list[int | str | None] = list(known.shape)
    sizes[place.axis] = BATCH if place.factor == 1 else None
    value.shape = ir.Shape(sizes)
    value.type = value.type or ir.TensorType(ir.DataType(known.type))


def _array(value: ir.Value | None) -> NDArray[np.generic] | None:
    """The data of a constant; None for other values."""
    source = initializer_of(value)
    return None if source is None or source.const_value is None else source.const_value.numpy()


def _integers(value: ir.Value | None) -> list[int] | None:
    array = _array(value)
    return None if array is None or array.ndim != 1 else [int(size) for size in array.tolist()]


def _element_type(array: NDArray[np.generic]) -> int:
    return int(onnx.helper.np_dtype_to_tensor_dtype(array.dtype))
