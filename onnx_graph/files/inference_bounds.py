"""Bounds on the memory of shape inference, computed before a library infers the shapes of a graph.

Inference itself can take all memory: ``Gather(x, x)`` has twice the axes of x, and thirty of them in a row have 2^30;
``Concat(a, a)`` doubles a list of sizes that inference stores; an `Optional` of an `Optional` nests types. Here every value
gets upper bounds by simple rules. If one exceeds its limit, nothing is inferred and shapes stay unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnx_graph.files.model_parts import graphs_of
from onnx_graph.operators.growth import (
    ANY,
    DRIVEN,
    DRIVERS,
    MOST_AXES,
    MOST_AXES_TOGETHER,
    MOST_CARRIED,
    MULTIPLIES,
    READ_ATTRIBUTES,
    SMALL,
    Bound,
    GrowthError,
    made_by,
)


@dataclass(frozen=True)
class Step:
    """A node, read from a protobuf model or from a model in memory.

    Attributes:
        operator: operator type.
        inputs: input names.
        outputs: output names.
        lengths: length of list and text attributes and value of integer attributes, by name; for pads, twice the largest.
        graphs: graphs in its attributes.
        call: function that it calls, if any.
        made: bound of a constant.
    """

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    lengths: Mapping[str, int]
    graphs: "Sequence[Part]" = ()
    call: "Part | None" = None
    made: Bound | None = None


@dataclass(frozen=True)
class Part:
    """A graph or the body of a function.

    Attributes:
        steps: nodes in order.
        outputs: output names.
        inputs: input names of a function; empty for a graph.
        held: returns the bound of an input or an initializer, None for other names.
        stated: returns the bound that the file states for a value between nodes, None if it states none.
    """

    steps: Sequence[Step]
    outputs: Sequence[str]
    inputs: Sequence[str] = ()
    held: "Callable[[str], Bound | None]" = lambda name: None
    stated: "Callable[[str], Bound | None]" = lambda name: None


class _Scope(dict[str, Bound]):
    """The bounds computed so far for the values of a part; missing ones are looked up in the part and in the graphs around it."""

    def __init__(self, part: Part, outer: "_Scope | None") -> None:
        super().__init__()
        self._part, self._outer = part, outer

    def __missing__(self, name: str) -> Bound:
        found = self._part.held(name)
        if found is None:
            found = self._outer[name] if self._outer is not None else Bound()
        self[name] = found
        return found

    def driving(self, name: str) -> Bound:
        """The bound of a value that determines the size of another value; a larger bound stated in the file counts too."""
        bound, stated = self[name], self._part.stated(name)
        return bound if stated is None else Bound(*map(max, bound, stated))._replace(largest=bound.largest)


def is_bounded(model: "onnx.ModelProto | ir.Model") -> bool:
    """Whether shapes of the model can be inferred in little memory. No function may call itself, directly or through others."""
    if isinstance(model, onnx.ModelProto):
        if any(map(_is_endless, (*model.graph.input, *model.graph.value_info, *model.graph.output))):
            return False
        if not _may_grow(model):
            return True
    reader = _ModelReader(model) if isinstance(model, ir.Model) else _ProtoReader(model)
    try:
        _Walk().through(reader.part(), None)
    except GrowthError:
        return False
    return True


def _is_endless(value: onnx.ValueInfoProto) -> bool:
    """Whether the declared length of a list is so large that inference must not store its numbers."""
    dims = value.type.tensor_type.shape.dim
    return len(dims) == 1 and dims[0].dim_value > MOST_CARRIED


def _may_grow(model: onnx.ModelProto) -> bool:
    """Whether bounds must be computed at all: a quick check, because most models contain nothing that grows."""
    graph = model.graph
    if model.functions:
        return True
    kinds = {node.op_type for node in graph.node}
    if kinds & MULTIPLIES:
        return True
    if not kinds & DRIVERS.keys():
        return False
    few = {one.name for one in graph.initializer if sum(one.dims) <= SMALL}
    few |= {
        node.output[0] for node in graph.node if node.op_type == "Constant" and node.output and node.ByteSize() <= SMALL
    }
    driving = (
        node.input[DRIVERS[node.op_type]] for node in graph.node if len(node.input) > DRIVERS.get(node.op_type, ANY)
    )
    return not few.issuperset(driving)


class _Walk:
    """A walk over the steps in order, which keeps the total of all axes and of all stored numbers."""

    def __init__(self) -> None:
        self._axes = self._carried = 0

    def through(self, part: Part, outer: _Scope | None, given: Sequence[Bound] = ()) -> _Scope:
        """The bounds of all values of a part; for a function, computed from the bounds of its arguments."""
        found = _Scope(part, outer)
        found.update(zip(part.inputs, given, strict=False))
        for step in part.steps:
            see = found.driving if step.operator in DRIVEN else found.__getitem__
            inputs = [see(name) for name in step.inputs] or [Bound()]
            outputs = self._called(step.call, inputs) if step.call is not None else self._computed(step, inputs, found)
            for name, bound in zip(step.outputs, outputs, strict=False):
                self._axes, self._carried = self._axes + bound.axes, self._carried + bound.carried
                if bound.axes > MOST_AXES or bound.carried > MOST_CARRIED:
                    raise GrowthError(name)
                if self._axes > MOST_AXES_TOGETHER or self._carried > 4 * MOST_CARRIED:
                    raise GrowthError(name)
                found[name] = bound
        return found

    def _called(self, body: Part, inputs: Sequence[Bound]) -> list[Bound]:
        known = self.through(body, None, inputs)
        return [known[name] for name in body.outputs]

    def _computed(self, step: Step, inputs: list[Bound], found: _Scope) -> list[Bound]:
        for graph in step.graphs:
            known = self.through(graph, found)
            inputs = [*inputs, *(known[name] for name in graph.outputs)]
        return [made_by(step, inputs)] * len(step.outputs)


def _bound(dims: Sequence[int], content: Sequence[float] = ()) -> Bound:
    """The bound of an input or a constant; open sizes are 0 or less. Libraries store the numbers of tensors with one axis."""
    numbers = min(prod(size for size in dims if size > 0), ANY)
    carried = min(numbers, MOST_CARRIED + 1) if len(dims) < 2 else 0
    whole = bool(content) and all(
        number == number and abs(number) < ANY and number == int(number) for number in content
    )
    return Bound(len(dims), numbers, max(dims, default=1), carried, int(max(map(abs, content))) if whole else ANY)


def _is_whole(number: float) -> bool:
    return abs(number) < ANY and number == int(number)


_NUMBERS_OF: dict[int, tuple[str, np.dtype[Any]]] = {
    onnx.TensorProto.INT64: ("int64_data", np.dtype("<i8")),
    onnx.TensorProto.INT32: ("int32_data", np.dtype("<i4")),
    onnx.TensorProto.FLOAT: ("float_data", np.dtype("<f4")),
    onnx.TensorProto.DOUBLE: ("double_data", np.dtype("<f8")),
}
"""The field in which a tensor of that type stores its numbers if they are not raw bytes, and their type."""
_LISTS = ("ints", "floats", "strings")


class _ProtoReader:
    """A reader of the parts of a protobuf model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._functions = {(one.domain, one.name, one.overload): one for one in model.functions}
        self._bodies: dict[tuple[str, str, str], Part] = {}

    def part(self) -> Part:
        """The main graph."""
        return self._graph(self._model.graph)

    def _graph(self, graph: onnx.GraphProto) -> Part:
        held = {one.name: one for one in graph.input}
        tensors = {one.name: one for one in graph.initializer}
        stated = {one.name: one for one in (*graph.value_info, *graph.output)}

        def look(name: str) -> Bound | None:
            return _tensor_bound(tensors[name]) if name in tensors else _declared(held.get(name))

        steps = [self._step(node) for node in graph.node]
        return Part(steps, [one.name for one in graph.output], (), look, lambda name: _declared(stated.get(name)))

    def _step(self, node: onnx.NodeProto) -> Step:
        graphs = [self._graph(graph) for attribute in node.attribute for graph in graphs_of(attribute)]
        name = (node.domain, node.op_type, node.overload)
        call = self._body(name) if name in self._functions else None
        made = _constant_bound(node) if node.op_type == "Constant" else None
        return Step(node.op_type, node.input, node.output, _lengths(node), graphs, call, made)

    def _body(self, name: tuple[str, str, str]) -> Part:
        if name not in self._bodies:
            function = self._functions[name]
            steps = [self._step(node) for node in function.node]
            self._bodies[name] = Part(steps, function.output, function.input)
        return self._bodies[name]


def _declared(value: onnx.ValueInfoProto | None) -> Bound | None:
    if value is None or not value.type.tensor_type.HasField("shape"):
        return None
    tensor = value.type.tensor_type
    return _bound([size.dim_value for size in tensor.shape.dim])


def _lengths(node: onnx.NodeProto) -> dict[str, int]:
    found: dict[str, int] = {}
    if node.op_type not in READ_ATTRIBUTES:
        return found
    for attribute in node.attribute:
        kept = attribute.s or next((held for field in _LISTS if (held := getattr(attribute, field))), ())
        found[attribute.name] = attribute.i if attribute.type == onnx.AttributeProto.INT else len(kept)
        if attribute.name == "pads":
            found["pads"] = 2 * max(map(abs, attribute.ints), default=0)
    return found


def _tensor_bound(tensor: onnx.TensorProto) -> Bound:
    dims = tuple(tensor.dims)
    if len(dims) > 1 or tensor.data_type not in _NUMBERS_OF or (dims and dims[0] > SMALL):
        return _bound(dims)
    name, dtype = _NUMBERS_OF[tensor.data_type]
    raw = tensor.raw_data
    if raw and len(raw) % dtype.itemsize == 0 and len(raw) <= SMALL * dtype.itemsize:
        return _bound(dims, np.frombuffer(raw, dtype).tolist())
    return _bound(dims, getattr(tensor, name)[:SMALL])


def _constant_bound(node: onnx.NodeProto) -> Bound:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            return _tensor_bound(attribute.t)
        if attribute.HasField("sparse_tensor"):
            return _bound(attribute.sparse_tensor.dims)
    numbers = [
        number
        for attribute in node.attribute
        for number in (*attribute.ints, *attribute.floats, attribute.i, attribute.f)
    ]
    return _bound([max(_lengths(node).values(), default=1)], numbers)


class _ModelReader:
    """A reader of the parts of a model in memory without functions."""

    def __init__(self, model: ir.Model) -> None:
        self._model = model

    def part(self) -> Part:
        """The main graph."""
        return self._graph(self._model.graph)

    def _graph(self, graph: ir.Graph) -> Part:
        inputs = {value.name: value for value in graph.inputs}
        between = {value.name: value for node in graph for value in node.outputs}

        def look(name: str) -> Bound | None:
            return _of_value(graph.initializers.get(name) or inputs.get(name))

        steps = [self._step(node) for node in graph]
        return Part(
            steps, [value.name or "" for value in graph.outputs], (), look, lambda name: _of_value(between.get(name))
        )

    def _step(self, node: ir.Node) -> Step:
        graphs, lengths = [], {}
        made: Bound | None = None
        for name, attribute in node.attributes.items():
            held = attribute.value
            if attribute.type == ir.AttributeType.GRAPH:
                graphs.append(self._graph(held))
            elif attribute.type == ir.AttributeType.GRAPHS:
                graphs.extend(self._graph(graph) for graph in held)
            elif isinstance(held, int | str | tuple | list):
                lengths[name] = held if isinstance(held, int) else len(held)
                if name == "pads" and isinstance(held, tuple | list):
                    lengths[name] = 2 * max((abs(number) for number in held if isinstance(number, int)), default=0)
                made = _bound([1 if isinstance(held, int) else len(held)]) if node.op_type == "Constant" else None
            elif isinstance(held, ir.TensorProtocol) and node.op_type == "Constant":
                made = _of_tensor(held)
        inputs = ["" if value is None else value.name or "" for value in node.inputs]
        return Step(node.op_type, inputs, [value.name or "" for value in node.outputs], lengths, graphs, None, made)


def _of_value(value: ir.Value | None) -> Bound | None:
    if value is not None and value.const_value is not None:
        return _of_tensor(value.const_value)
    if value is None or value.shape is None:
        return None
    return _bound([size if isinstance(size, int) else 0 for size in value.shape.dims])


def _of_tensor(tensor: ir.TensorProtocol) -> Bound:
    small = tensor.size <= SMALL and int(tensor.dtype) in _NUMBERS_OF
    return _bound(tensor.shape.numpy(), tensor.numpy().ravel().tolist() if small else ())
