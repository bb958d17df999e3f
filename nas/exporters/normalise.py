"""A task's normalisation as the first nodes of a graph, so that an exported model takes raw inputs."""

import numpy as np
import onnx_ir as ir

from nas.tasks.task import Normalisation


def prepend(model: ir.Model, normalisation: Normalisation) -> ir.Model:
    """A copy of the model that computes ``(raw − offset) · scale`` before anything else."""
    model = model.clone()
    graph = model.graph
    value = graph.inputs[0]
    if value.name is None or value.shape is None:
        raise ValueError("a model to export needs a named input with a shape")
    offset = _constant(graph, "nas_offset", normalisation.offset)
    scale = _constant(graph, "nas_scale", normalisation.scale)
    sub = ir.Node("", "Sub", [value, offset], name="nas_normalise_offset")
    mul = ir.Node("", "Mul", [sub.outputs[0], scale], name="nas_normalise_scale")
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


def _constant(graph: ir.Graph, name: str, array: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> ir.Value:
    value = ir.Value(
        name=name,
        shape=ir.Shape(array.shape),
        type=ir.TensorType(ir.DataType.FLOAT),
        const_value=ir.tensor(np.asarray(array, np.float32), name=name),
    )
    graph.register_initializer(value)
    return value
