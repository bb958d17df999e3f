"""A normalisation as the first two nodes of a graph: an exported model begins with them, so that it takes raw inputs."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.weight import initializer_of

OFFSET, SCALE = "nas_offset", "nas_scale"
"""Names of the two initializers."""

_SUB, _MUL = "nas_normalise_offset", "nas_normalise_scale"


@dataclass(frozen=True, eq=False)
class Separated:
    """A model in two parts.

    Attributes:
        model: a copy without its normalisation; it takes normalised inputs.
        offset: offset that was subtracted from the raw inputs, float32.
        scale: factor by which they were multiplied afterwards, float32.
    """

    model: ir.Model
    offset: NDArray[np.float32]
    scale: NDArray[np.float32]


def prepend_normalisation(model: ir.Model, offset: NDArray[np.float32], scale: NDArray[np.float32]) -> ir.Model:
    """A copy of the model that computes ``(raw − offset) · scale`` before anything else."""
    model = model.clone()
    graph = model.graph
    value = _input(graph)
    if value is None or value.name is None or value.shape is None:
        raise ValueError("a model to export needs a single named input with a shape")
    sub = ir.Node("", "Sub", [value, _constant(graph, OFFSET, offset)], name=_SUB)
    mul = ir.Node("", "Mul", [sub.outputs[0], _constant(graph, SCALE, scale)], name=_MUL)
    for output, name in ((sub.outputs[0], "nas_shifted"), (mul.outputs[0], "nas_normalised")):
        output.name, output.shape, output.type = name, ir.Shape(value.shape), ir.TensorType(ir.DataType.FLOAT)
    for usage in tuple(value.uses()):
        if usage.node is not sub:
            usage.node.replace_input_with(usage.idx, mul.outputs[0])
    first = next(iter(graph), None)
    if first is None:
        graph.extend([sub, mul])
    else:
        graph.insert_before(first, [sub, mul])
    return model


def split_normalisation(model: ir.Model) -> Separated | None:
    """The model without the normalisation that `prepend_normalisation` gave it; None if it does not begin with one."""
    if _nodes(model.graph) is None:
        return None
    copy = model.clone()
    graph, nodes = copy.graph, _nodes(copy.graph)
    if nodes is None:
        return None
    sub, mul = nodes
    arrays = [_array(node.inputs[1]) for node in nodes]
    source, normalised = sub.inputs[0], mul.outputs[0]
    if source is None:
        return None
    normalised.replace_all_uses_with(source)
    constants = [node.inputs[1] for node in nodes]
    graph.remove([mul, sub], safe=True)
    for value in constants:
        if value is not None and value.name and value.name in graph.initializers and not value.uses():
            del graph.initializers[value.name]
    return Separated(copy, *arrays)


def _input(graph: ir.Graph) -> ir.Value | None:
    """The only input of a graph."""
    inputs = [value for value in graph.inputs if not value.is_initializer()]
    return inputs[0] if len(inputs) == 1 else None


def _nodes(graph: ir.Graph) -> tuple[ir.Node, ir.Node] | None:
    """The two nodes, if they were made by this module, read constants, and nothing else reads the input."""
    value = _input(graph)
    sub = _only_reader(value, "Sub", _SUB)
    mul = _only_reader(sub.outputs[0], "Mul", _MUL) if sub is not None else None
    if sub is None or mul is None or mul.outputs[0].is_graph_output():
        return None
    return (sub, mul) if all(initializer_of(node.inputs[1]) is not None for node in (sub, mul)) else None


def _only_reader(value: ir.Value | None, operator: str, name: str) -> ir.Node | None:
    """The node with that operator and name, if it is the only reader of a value, as its first operand."""
    uses = [] if value is None else list(value.uses())
    if len(uses) != 1 or uses[0].idx != 0 or (value is not None and value.is_graph_output()):
        return None
    node = uses[0].node
    return node if node.op_type == operator and node.name == name and len(node.inputs) == 2 else None


def _array(value: ir.Value | None) -> NDArray[np.float32]:
    source = initializer_of(value)
    if source is None or source.const_value is None:
        raise ValueError("a normalisation without its numbers")
    return np.asarray(source.const_value.numpy(), np.float32)


def _constant(graph: ir.Graph, name: str, array: NDArray[np.float32]) -> ir.Value:
    """A new initializer; where the model has one of that name already, it gets a longer one."""
    while name in graph.initializers:
        name += "_"
    value = ir.Value(
        name=name,
        shape=ir.Shape(array.shape),
        type=ir.TensorType(ir.DataType.FLOAT),
        const_value=ir.tensor(np.asarray(array, np.float32), name=name),
    )
    graph.register_initializer(value)
    return value
