"""Second moments E[x xᵀ] of the inputs of each weight: the curvature of its layer's squared error."""

import math
from collections.abc import Callable

import onnx_ir as ir
import torch
from torch import Tensor

from nas.importer.node import Node
from nas.importer.operators import OPERATORS
from nas.training.masks.own_network import OwnNetwork
from nas.training.stack.weight_layer import Layer
from onnx_graph.internals import WeightUse, integer, weight_uses
from onnx_graph.operators import RECURRENT, operator_of

CHUNK = 64
"""Examples that are run at once."""


def input_moments(network: OwnNetwork, x: Tensor) -> dict[str, Tensor]:
    """Moments by weight, float64 ``(groups, d, d)``: the mean of x xᵀ over examples `x`, positions and steps.

    x is the input of one row of the weight, d = in · kernel; where `_has_bias`, a last entry of x stands for the bias, so that
    d is one more. A recurrent matrix, a transposed convolution and a weight that multiplies from the left have the identity:
    their inputs are not a value of the graph, or not one vector.
    """
    uses = {use.weight.name: use for use in reversed(list(weight_uses(network.model)))}
    known = [layer for layer in network.layers if _reads_vectors(uses[layer.name])]
    found = {layer.name: _identity(layer, x) for layer in network.layers}
    for index, part in enumerate(torch.split(x, CHUNK)):
        values = network.values([layer.input for layer in known], part)
        for layer in known:
            rows = _rows(uses[layer.name], layer, values[layer.input])
            if _has_bias(network, layer):
                rows = torch.cat([rows, torch.full_like(rows[..., :1], _offset(uses[layer.name].node))], -1)
            share = rows.transpose(1, 2) @ rows * (len(part) / len(x) / rows.shape[1])
            found[layer.name] = found[layer.name] + share if index else share
    return found


def _has_bias(network: OwnNetwork, layer: Layer) -> bool:
    """Whether the layer's moments have an entry for its bias: a vector with an entry for each row."""
    if layer.bias is None or layer.weight.operator == "ConvTranspose":
        return False
    array = network.model.graph.initializers[layer.bias].const_value
    return array is not None and math.prod(array.shape.numpy()) == layer.weight.shape[0]


def _reads_vectors(use: WeightUse) -> bool:
    """Whether rows of the weight multiply vectors along one axis, or patches, of a value of the graph."""
    kind = operator_of(use.node).kind
    if kind in RECURRENT or kind == "conv":
        return use.index == 1
    return kind == "dense" and use.index == 1 and not integer(use.node, "transA", 0)


def _rows(use: WeightUse, layer: Layer, value: Tensor) -> Tensor:
    """The vectors, float64 ``(groups, n, d)``."""
    value = value.to(torch.float64)
    if use.node.op_type != "Conv":
        return value.reshape(1, -1, value.shape[-1])
    _, inputs, *kernel = layer.weight.shape
    groups, size = layer.weight.groups, inputs * math.prod(kernel)
    # The patches are the outputs of filters with a single 1: so padding, strides and dilations are those of the operator.
    filters = torch.eye(size, dtype=value.dtype, device=value.device).reshape(size, inputs, *kernel)
    patches = convolution(use.node, groups)(value, filters.repeat(groups, *[1] * (len(kernel) + 1)))
    return patches.reshape(len(value), groups, size, -1).permute(1, 0, 3, 2).reshape(groups, -1, size)


def convolution(node: ir.Node, groups: int) -> Callable[..., Tensor]:
    """The function of input and weight that a Conv node would compute with this number of groups."""
    attributes = [value for name, value in node.attributes.items() if name not in ("group", "kernel_shape")]
    other = ir.Node("", "Conv", [None, None], attributes=[*attributes, ir.AttrInt64("group", groups)])
    kernel = OPERATORS["Conv"](Node(other, 17, [None, None]))
    if not callable(kernel):
        raise TypeError("the kernel of Conv must be a function")
    return kernel


def _offset(node: ir.Node) -> float:
    """The factor of the bias relative to the inputs."""
    if node.op_type != "Gemm":
        return 1.0
    return node.attributes.get_float("beta", 1.0) / (node.attributes.get_float("alpha", 1.0) or 1.0)


def _identity(layer: Layer, x: Tensor) -> Tensor:
    size = math.prod(layer.weight.shape[1:])
    return torch.eye(size, dtype=torch.float64, device=x.device).repeat(layer.weight.groups, 1, 1)
