"""Types and shapes of the values between nodes, inferred where a file does not state them."""

from collections.abc import Container

import onnx

from onnx_graph.boundary import FAMILIES
from onnx_graph.files import inference_bounds as growth
from onnx_graph.files.tensor_data import SMALL


def infer(proto: onnx.ModelProto, weights: Container[str] = ()) -> None:
    """Fill in shapes of values, in place; shapes stay unknown if they cannot be inferred in little memory.

    Args:
        proto: the model.
        weights: initializers whose data may have been removed from `proto`.
    """
    if _is_complete(proto.graph) or not growth.is_bounded(proto):
        return
    light = _without_weights(proto, weights)
    try:
        inferred = onnx.shape_inference.infer_shapes(light, data_prop=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, *FAMILIES):
        return
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(inferred.graph.value_info)
    shapes = {value.name: value for value in inferred.graph.output}
    for value in proto.graph.output:
        if not value.type.tensor_type.HasField("shape"):
            value.CopyFrom(shapes[value.name])


def _is_complete(graph: onnx.GraphProto) -> bool:
    """Whether every value has a tensor type and a shape of numbers; along the first axis also the size of a batch, as an input names it."""
    infos = {info.name: info.type.tensor_type for info in (*graph.value_info, *graph.output)}
    firsts = [value.type.tensor_type.shape.dim[0] for value in graph.input if value.type.tensor_type.shape.dim]
    batches = {first.dim_param for first in firsts} - {""}
    made = [name for node in graph.node for name in node.output if name]
    return all(name in infos and _is_known(infos[name], batches) for name in made)


def _is_known(tensor: onnx.TypeProto.Tensor, batches: Container[str]) -> bool:
    if not (tensor.elem_type and tensor.HasField("shape")):
        return False
    return all(
        dimension.HasField("dim_value") or (axis == 0 and dimension.dim_param in batches)
        for axis, dimension in enumerate(tensor.shape.dim)
    )


def _without_weights(proto: onnx.ModelProto, weights: Container[str]) -> onnx.ModelProto:
    """The model with types instead of its weights and other large initializers, because inference copies the whole model."""
    light = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import, functions=proto.functions)
    light.graph.name = proto.graph.name
    light.graph.node.extend(proto.graph.node)
    light.graph.input.extend(proto.graph.input)
    light.graph.output.extend(proto.graph.output)
    light.graph.value_info.extend(proto.graph.value_info)
    inputs = {value.name for value in proto.graph.input}
    for tensor in proto.graph.initializer:
        whole = tensor.HasField("raw_data") or tensor.name not in weights
        if whole and tensor.ByteSize() <= 2 * SMALL:
            light.graph.initializer.add().CopyFrom(tensor)
        elif tensor.name not in inputs:
            light.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    return light
