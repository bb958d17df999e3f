"""Graph shape: the properties that must agree so that networks can be trained as one stack.

Two models have one graph shape when their nodes, in order, have the same operators, attributes and wiring; names do not matter.
If in every operator a unit of zeros has no effect, layer widths do not matter either: the narrower network is
padded with such units. If this fails for one operator (Concat, Softmax, LayerNormalization, grouped convolution, two directions, …) all
shapes must agree.
"""

import hashlib
import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from nas.importer.roles import roles
from onnx_graph.internals import NORM_BOUND_KEY
from onnx_graph.operators import CONVOLUTIONS, ELEMENTWISE, LAYERS, POOLS, RECURRENT, operator_of

_WIDTHS = frozenset({"hidden_size"})
"""Attributes that hold a width."""


@dataclass(frozen=True)
class Slot:
    """An initializer of a network and the place it has in the graph shape.

    Attributes:
        name: name in this network.
        shape: shape in this network.
        gates: number of blocks of axis 1 that are padded one by one.
    """

    name: str
    shape: tuple[int, ...]
    gates: int = 1


@dataclass(frozen=True)
class GraphShape:
    """The graph shape of a model.

    Attributes:
        key: equal for two networks that can be stacked.
        slots: initializers in order of first use; the k-th ones of two networks of one key correspond.
        cost: multiply-accumulates of one example through the dense network.
    """

    key: Hashable
    slots: tuple[Slot, ...]
    cost: int


def graph_shape(model: ir.Model) -> GraphShape:
    """The graph shape of a model."""
    graph = model.graph
    numbers = {value: number for number, value in enumerate(_data_inputs(model))}
    slots: dict[ir.Value, Slot] = {}
    elastic = _all_elastic(model)
    found = roles(model)
    learned = found.parameters | found.buffers
    key: list[Hashable] = [
        elastic,
        tuple(str(value.shape) for value in numbers),
        tuple(str(value.shape) for value in graph.outputs),
    ]
    for node in graph:
        for index, value in enumerate(node.inputs):
            if value is None or value in numbers:
                continue
            numbers[value] = len(numbers)
            if value.is_initializer() and value.const_value is not None:
                slots[value] = _slot(node, index, value)
                key.append(_initializer_key(node, value, learned=value.name in learned, elastic=elastic))
        wiring = tuple(-1 if value is None else numbers[value] for value in node.inputs)
        key.append(
            (
                node.domain,
                node.op_type,
                is_depthwise(node),
                _attributes(node, elastic=elastic),
                wiring,
                len(node.outputs),
                _stretched(node),
            )
        )
        numbers.update({value: len(numbers) + offset for offset, value in enumerate(node.outputs)})
    key.append(tuple(numbers.get(value, -1) for value in graph.outputs))
    return GraphShape(tuple(key), tuple(slots.values()), _cost(model))


def _data_inputs(model: ir.Model) -> list[ir.Value]:
    """Old models list their initializers among the inputs."""
    return [value for value in model.graph.inputs if not value.is_initializer()]


def _all_elastic(model: ir.Model) -> bool:
    """Whether layers may be padded. Values computed from the input alone have no layer width."""
    rigid: set[ir.Value | None] = set(_data_inputs(model))
    for node in model.graph:
        if operator_of(node).kind not in LAYERS and all(
            value is None or value in rigid or _is_constant(value) for value in node.inputs
        ):
            rigid.update(node.outputs)
        elif not _elastic(node):
            return False
    return True


def _elastic(node: ir.Node) -> bool:
    """Whether a unit of zeros in the node's input changes none of its other outputs."""
    operator = operator_of(node)
    if operator.kind in ELEMENTWISE | POOLS | {"batch_norm"}:
        return bool(operator.zero)
    if operator.kind == "dense":
        return len(node.inputs) > 1 and _is_constant(node.inputs[1]) and not node.attributes.get_int("transA", 0)
    if operator.kind in LAYERS and not all(value is None or _is_constant(value) for value in node.inputs[1:]):
        return False
    if operator.kind == "conv":
        return node.attributes.get_int("group", 1) == 1 or is_depthwise(node)
    if operator.kind in RECURRENT:
        return node.attributes.get_string("direction", "forward") != "bidirectional" and len(node.inputs) < 5
    return _keeps_units_together(node)


def is_depthwise(node: ir.Node) -> bool:
    """Whether a convolution has one filter for each channel, so that its groups grow with the channels."""
    shape = _shape_of(node.inputs[1]) if node.op_type == "Conv" and node.inputs[1] is not None else ()
    return len(shape) > 2 and shape[1] == 1 and shape[0] == node.attributes.get_int("group", 1) > 1


def _keeps_units_together(node: ir.Node) -> bool:
    """Nodes that move data: units must stay on one axis, in one block at its start."""
    rank = (
        None if not node.inputs or node.inputs[0] is None or node.inputs[0].shape is None else len(node.inputs[0].shape)
    )
    if node.op_type == "Flatten":
        # (N, C, H, W) becomes channel after channel; (N, T, F) would interleave the padding.
        return node.attributes.get_int("axis", 1) == 1 and rank in (2, 4)
    if node.op_type == "Transpose":
        return tuple(node.attributes.get_ints("perm", ()) or ()) == (1, 0, 2)
    operator = operator_of(node)
    if operator.kind == "reshape" and operator.setting("axes") is not None:  # Squeeze and Unsqueeze
        return True
    if operator.kind == "reduce" and operator.zero and operator.setting("axes") is not None:
        axes = _axes(node)
        return bool(axes) and (
            (rank == 4 and set(axes) <= {2, 3, -1, -2}) or (rank == 3 and set(axes) <= {0, 1, -2, -3})
        )
    if operator.setting("indices") is not None or operator.setting("starts") is not None:  # Gather and Slice
        # Steps of a sequence may be chosen, units may not.
        axes = (node.attributes.get_int("axis", 0),) if node.op_type == "Gather" else _constant(node, 3)
        return rank in (3, 4) and bool(axes) and set(axes) <= {0, 1} and _is_sequence(node)
    return False


def _is_sequence(node: ir.Node) -> bool:
    """Whether the node reads (N, T, F) or the (T, directions, N, F) of a recurrent operator, in which units come last."""
    value = node.inputs[0]
    producer = value.producer() if value is not None else None
    return (
        value is not None
        and value.shape is not None
        and (len(value.shape) == 3 or (producer is not None and operator_of(producer).kind in RECURRENT))
    )


def _axes(node: ir.Node) -> tuple[int, ...]:
    return tuple(node.attributes.get_ints("axes", ()) or ()) or _constant(node, 1)


def _constant(node: ir.Node, index: int) -> tuple[int, ...]:
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None or value.const_value is None:
        return ()
    return tuple(int(entry) for entry in np.ravel(value.const_value.numpy()))


def _is_constant(value: ir.Value | None) -> bool:
    return value is not None and value.is_initializer() and value.const_value is not None


def _slot(node: ir.Node, index: int, value: ir.Value) -> Slot:
    return Slot(value.name or "", _shape_of(value), operator_of(node).blocks(index))


def _shape_of(value: ir.Value) -> tuple[int, ...]:
    return () if value.const_value is None else tuple(value.const_value.shape.numpy())


def _initializer_key(node: ir.Node, value: ir.Value, *, learned: bool, elastic: bool) -> Hashable:
    """What training changes by its rank, kernel and norm bound, constants by their value."""
    tensor = value.const_value
    if tensor is None:
        return None
    if not learned:
        return (str(tensor.dtype), _shape_of(value), hashlib.sha256(tensor.numpy().tobytes()).digest())
    shape = _shape_of(value)
    bound = value.metadata_props.get(NORM_BOUND_KEY)
    return (bound, len(shape), shape[2:] if node.op_type == "Conv" else ()) if elastic else (bound, shape)


def _attributes(node: ir.Node, *, elastic: bool) -> Hashable:
    skipped = _WIDTHS | ({"group"} if is_depthwise(node) else set()) if elastic else frozenset()
    return tuple(sorted((name, _attribute(value)) for name, value in node.attributes.items() if name not in skipped))


def _attribute(attribute: ir.Attr) -> str:
    """A text that is equal for equal values."""
    value = attribute.value
    if attribute.type == ir.AttributeType.TENSOR:
        array = attribute.as_tensor().numpy()
        return f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
    # A network with subgraphs in its nodes is never stacked with another.
    return str(id(value)) if attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) else repr(value)


def _stretched(node: ir.Node) -> Hashable:
    """The axes of the operands that are broadcast: a layer of width 1 must not be confused with a broadcast one."""
    if operator_of(node).kind not in ELEMENTWISE or len(node.inputs) < 2 or node.outputs[0].shape is None:
        return ()
    result = list(node.outputs[0].shape)[::-1]
    found = []
    for value in node.inputs:
        shape = [] if value is None or value.shape is None else list(value.shape)[::-1]
        found.append(tuple(dim == 1 and result[axis] != 1 for axis, dim in enumerate(shape)))
    return tuple(found)


def _cost(model: ir.Model) -> int:
    """Multiply-accumulates of the dense network for one example, from the static shapes."""
    total = 0
    for node in model.graph:
        if operator_of(node).kind in LAYERS:
            entries = sum(
                math.prod(_shape_of(value))
                for value in node.inputs[1:3]
                if value is not None and len(_shape_of(value)) > 1
            )
            total += entries * _repeats(node)
    return total


def _repeats(node: ir.Node) -> int:
    """How often each weight is used in one example: spatial positions, or steps."""
    shape = node.outputs[0].shape or (node.inputs[0].shape if node.inputs[0] is not None else None)
    if shape is None:
        return 1
    sizes = [dim if isinstance(dim, int) else 1 for dim in shape]
    if operator_of(node).kind in CONVOLUTIONS:
        return math.prod(sizes[2:])
    return math.prod(sizes[:1]) if operator_of(node).kind in RECURRENT else math.prod(sizes[1:-1])
