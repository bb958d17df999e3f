"""Hidden units that can be chosen one by one: exactly one later weight reads them, and each adds its contribution to a sum.

Units are the rows of a dense weight or of a convolution. Operators that keep units apart may lie between them and their reader:
activations, batch normalisation, pooling, a flattening. Units of recurrent operators, and units that several operators read (a skip
connection, attention), cannot be chosen.
"""

from dataclasses import dataclass

import onnx_ir as ir
import torch
from torch import Tensor

from nas.training.masks.input_moments import convolution
from nas.training.stack.weight_layer import Layer
from nas.training.stack.weight_layer import layers as layers_of
from onnx_graph.internals import WeightUse, initializer_of, integer, weight_uses
from onnx_graph.operators import ACTIVATIONS, POOLS, operator_of


@dataclass(frozen=True, eq=False)
class SelectableUnits:
    """The selectable units of one layer.

    Attributes:
        layer: its rows are the units.
        reader: the weight that reads them.
        node: the node that multiplies them by the reader.
    """

    layer: Layer
    reader: Layer
    node: ir.Node

    @property
    def count(self) -> int:
        """Number of units."""
        return self.layer.weight.shape[0]

    def scale(self, weight: Tensor, coefficients: Tensor) -> Tensor:
        """The reader's weight, canonical, with all that it reads of unit i multiplied by ``coefficients[i]``."""
        out, inputs, *kernel = weight.shape
        groups = self.reader.weight.groups
        # Channel-major: a flattened image has all positions of a unit side by side.
        by_input = coefficients.repeat_interleave(groups * inputs // self.count).reshape(groups, 1, inputs)
        factors = by_input.expand(groups, out // groups, inputs).reshape(out, inputs, *[1] * len(kernel))
        return weight * factors

    def contributions(self, value: Tensor, weight: Tensor) -> Tensor:
        """What each unit adds to the reader's output ``(units, N, …, out, …)``.

        Args:
            value: the reader's input ``(N, …)``.
            weight: the reader's weight, canonical.
        """
        if self.node.op_type == "Conv":
            return self._channels(value, weight)
        alpha = self.node.attributes.get_float("alpha", 1.0) if self.node.op_type == "Gemm" else 1.0
        inputs = torch.unflatten(value, -1, (self.count, -1)).movedim(-2, 0)
        return alpha * torch.einsum("un...r,our->un...o", inputs, torch.unflatten(weight, 1, (self.count, -1)))

    def _channels(self, value: Tensor, weight: Tensor) -> Tensor:
        """The contributions in a convolution: each channel is convolved separately, in its group."""
        out, inputs, *kernel = weight.shape
        groups = self.reader.weight.groups
        single = weight.reshape(groups, out // groups, inputs, *kernel).transpose(1, 2).reshape(-1, 1, *kernel)
        found = convolution(self.node, self.count)(value, single)
        found = found.reshape(len(value), groups, inputs, out // groups, *found.shape[2:])
        placed = found.new_zeros(groups, inputs, len(value), groups, *found.shape[3:])
        for group in range(groups):
            placed[group, :, :, group] = found[:, group].movedim(1, 0)
        return placed.flatten(3, 4).flatten(0, 1)


def selectable_units(model: ir.Model) -> tuple[SelectableUnits, ...]:
    """All of a graph, from its input to its output."""
    uses: dict[str, list[WeightUse]] = {}
    for use in weight_uses(model):
        uses.setdefault(use.weight.name, []).append(use)
    single = {use.node: use for found in uses.values() if len(found) == 1 for use in found}
    layers = {layer.name: layer for layer in layers_of(model)}
    found = []
    for use in single.values():
        reader = _reader(use, single)
        if reader is not None:
            found.append(SelectableUnits(layers[use.weight.name], layers[reader.weight.name], reader.node))
    return tuple(found)


def _reader(use: WeightUse, weighted: dict[ir.Node, WeightUse]) -> WeightUse | None:
    """The only weight that reads the rows of a weight; None if no weight or more than one reads them."""
    if not _is_product(use):
        return None
    channels, flat = use.node.op_type == "Conv", False
    value = use.node.outputs[0]
    while True:
        node = None if value.is_graph_output() else _only_reader(value)
        if node is None:
            return None
        if node in weighted:
            return _checked(use, weighted[node], in_channels=channels and not flat)
        if not _keeps_apart(node, value, channels=channels and not flat):
            return None
        flat = flat or node.op_type == "Flatten"
        value = node.outputs[0]


def _only_reader(value: ir.Value) -> ir.Node | None:
    """The node that reads the value; in x · sigmoid(x) it is the product."""
    readers = [found.node for found in value.uses()]
    if len(readers) == 2:
        gates = [node for node in readers if node.op_type == "Sigmoid"]
        products = [node for node in readers if node.op_type == "Mul"]
        if len(gates) == len(products) == 1 and set(products[0].inputs) == {value, gates[0].outputs[0]}:
            return products[0] if len(gates[0].outputs[0].uses()) == 1 else None
    return readers[0] if len(readers) == 1 else None


def _checked(use: WeightUse, reader: WeightUse, *, in_channels: bool) -> WeightUse | None:
    """The reader, if its inputs are the units, or blocks of them."""
    if not _is_product(reader) or (reader.node.op_type == "Conv") != in_channels:
        return None
    data, inputs = reader.node.inputs[1 - reader.index], reader.weight.groups * reader.weight.shape[1]
    if data is None or data.shape is None:
        return None
    # Examples come first in an image and in a matrix; in (T, N, F) they do not; in a fixed shape it cannot be known.
    by_example = in_channels or len(data.shape) == 2 or not isinstance(data.shape[0], int)
    return reader if by_example and inputs % use.weight.shape[0] == 0 else None


def _is_product(use: WeightUse) -> bool:
    kind = operator_of(use.node).kind
    plain = kind == "dense" and not integer(use.node, "transA", 0)
    return use.index == 1 and (plain or kind == "conv")


def _keeps_apart(node: ir.Node, value: ir.Value, *, channels: bool) -> bool:
    """Whether units stay units, on their axis and in their order."""
    rank, facts = 0 if value.shape is None else len(value.shape), operator_of(node)
    if (facts.kind in ACTIVATIONS and not facts.ports) or (facts.passes and not facts.casts):
        return node.inputs[0] is value
    if node.op_type == "Mul":
        return any(found is not None and _is_gate(found, value) for found in node.inputs)
    if node.op_type == "Add":
        other = next((found for found in node.inputs if found is not value), None)
        vector = initializer_of(other)
        return not channels and vector is not None and vector.shape is not None and len(vector.shape) == 1
    if node.op_type == "BatchNormalization":
        return channels or rank == 2
    if node.op_type == "Flatten":
        return node.attributes.get_int("axis", 1) == 1 and (channels or rank == 2)
    return channels and facts.kind in POOLS


def _is_gate(found: ir.Value, value: ir.Value) -> bool:
    """Whether it is the sigmoid of the value."""
    node = found.producer()
    return node is not None and node.op_type == "Sigmoid" and node.inputs[0] is value
