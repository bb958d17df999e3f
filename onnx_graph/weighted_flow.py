"""How live units flow through the operators that multiply by maskable weights: a unit lives through a non-zero."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.moving_flow import MIX, Flow
from onnx_graph.unit_map import DEAD, LIVE, Maps, UnitMap, along, any_over, rank_of, spread, unbroadcast
from onnx_graph.weight import Weight, WeightUse, array_of, integer, weight_uses

Uses = dict[int, WeightUse]


@dataclass(eq=False)
class Weighted:
    """The weight uses and masks of one graph, and the hidden units found alive on the way.

    Attributes:
        uses: by node, then by input index.
        masks: canonical mask of every weight by name, as its first use reads it.
        reached: hidden units ``(directions, hidden)`` of each recurrent node that depend on a graph input.
        needed: those that a graph output depends on.
    """

    uses: dict[ir.Node, Uses] = field(default_factory=dict)
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    reached: dict[ir.Node, UnitMap] = field(default_factory=dict)
    needed: dict[ir.Node, UnitMap] = field(default_factory=dict)
    _first: dict[str, Weight] = field(default_factory=dict)
    _pairs: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ir.Model) -> "Weighted":
        """Read the weights of a model."""
        found = cls()
        for use in weight_uses(model):
            found.uses.setdefault(use.node, {})[use.index] = use
            if use.weight.name not in found.masks:
                found.masks[use.weight.name] = use.weight.canonical(array_of(use.value)) != 0
                found._first[use.weight.name] = use.weight
        return found

    def all_uses(self) -> Iterator[WeightUse]:
        """Every use, in node order."""
        for uses in self.uses.values():
            yield from uses.values()

    def flow(self, node: ir.Node) -> Flow | None:
        """The rule of a node that holds weights, None for one that holds none."""
        operator = node.op_type
        if node.domain not in ("", "ai.onnx"):
            return None
        if operator in ("Gemm", "MatMul"):
            if node in self.uses:
                return Flow(self._product_forward, self._product_backward)
            return Flow(_free_forward, _free_backward) if operator == "MatMul" else None
        if node not in self.uses:
            return None
        if operator in ("Conv", "ConvTranspose"):
            return Flow(self._convolution_forward, self._convolution_backward)
        return Flow(self._recurrent_forward, self._recurrent_backward) if {1, 2} == set(self.uses[node]) else MIX

    def pairs(self, use: WeightUse) -> NDArray[np.bool_]:
        """Which input unit reaches which output unit: the canonical mask with its kernel folded, ``(out, in)``."""
        name = use.weight.name
        mask, turned = self.masks[name], self.is_turned(use)
        if mask.ndim == 2:
            return mask.T if turned else mask
        key = f"{name}\0turned" if turned else name
        if key not in self._pairs:
            read = use.weight.canonical(self._first[name].stored(mask)) if turned else mask
            self._pairs[key] = any_over(read != 0, tuple(range(2, mask.ndim)))
        return self._pairs[key]

    def is_turned(self, use: WeightUse) -> bool:
        """Whether a use reads a shared weight across the first use: units that it takes in are those that the first gives out."""
        return use.weight.transposed != self._first[use.weight.name].transposed

    def hidden(self, node: ir.Node, index: int) -> NDArray[np.bool_]:
        """Pairs of a recurrent weight with the gates folded, ``(directions, hidden, in)``."""
        weight = self.uses[node][index].weight
        key = f"{weight.name}\0hidden"
        if key not in self._pairs:
            mask = self.masks[weight.name].reshape(weight.directions, weight.gates, -1, weight.shape[1])
            self._pairs[key] = any_over(mask, 1)
        return self._pairs[key]

    def _product_forward(self, node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
        (use,) = self.uses[node].values()
        units, bias = inputs[1 - use.index], _bias(node, inputs)
        axis, target = product_axes(use)
        rank = rank_of(node.outputs[0])
        reached = DEAD if units is None else spread(_times(self.pairs(use), along(units, axis)), rank, target)
        if bias is not None:
            reached = reached | bias if reached.ndim >= bias.ndim else LIVE
        return [reached]

    def _product_backward(self, node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
        (use,) = self.uses[node].values()
        units, claims = outputs[0], [None, None, None]  # type: tuple[UnitMap | None, list[UnitMap | None]]
        if units is None:
            return claims[: len(node.inputs)]
        axis, target = product_axes(use)
        needed = _times(self.pairs(use).T, along(units, target))
        claims[1 - use.index] = spread(needed, rank_of(node.inputs[1 - use.index]), axis)
        if len(node.inputs) > 2 and node.inputs[2] is not None:
            claims[2] = unbroadcast(node.inputs[2], units)
        return claims[: len(node.inputs)]

    def _convolution_forward(self, node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
        use = self.uses[node][1]
        if inputs[0] is None or (len(inputs) > 2 and inputs[2] is not None):
            return MIX.forward(node, inputs)
        groups = use.weight.groups
        pairs, units = self.pairs(use), along(inputs[0], 1)
        if groups == 1 or units.size == 1:
            reached = _times(pairs, units)
        else:
            blocks = pairs.reshape(groups, -1, pairs.shape[1])
            reached = (blocks & units.reshape(groups, 1, -1)).any(axis=2).reshape(-1)
        return [spread(reached, rank_of(node.outputs[0]), 1)]

    def _convolution_backward(self, node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
        use = self.uses[node][1]
        if outputs[0] is None:
            return [None] * len(node.inputs)
        groups = use.weight.groups
        pairs, units = self.pairs(use), along(outputs[0], 1)
        blocks = pairs.reshape(groups, -1, pairs.shape[1])
        rows = np.broadcast_to(units, pairs.shape[:1]).reshape(groups, -1, 1)
        needed = any_over(blocks & rows, 1).reshape(-1)
        claims: list[UnitMap | None] = [None] * len(node.inputs)
        claims[0] = spread(needed, rank_of(node.inputs[0]), 1)
        if len(claims) > 2 and node.inputs[2] is not None:
            claims[2] = np.full((1,) * rank_of(node.inputs[2]), units.any())
        return claims

    def _recurrent_forward(self, node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
        pairs, loops = self.hidden(node, 1), self.hidden(node, 2)
        reached = np.zeros(pairs.shape[:2], np.bool_)
        if inputs[0] is not None:
            reached |= _times(pairs, along(inputs[0], -1))
        for state in inputs[5:7]:
            if state is not None:
                reached |= state_units(node, state)
        if any(inputs[index] is not None for index in (3, 4, 7) if index < len(inputs)):
            reached[:] = True
        self.reached[node] = _spread_over(loops, reached)
        return [recurrent_map(node, index, self.reached[node]) for index in range(len(node.outputs))]

    def _recurrent_backward(self, node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
        pairs, loops = self.hidden(node, 1), self.hidden(node, 2)
        needed = np.zeros(pairs.shape[:2], np.bool_)
        for index, units in enumerate(outputs):
            if units is not None:
                needed |= output_units(node, index, units)
        needed = self.needed[node] = _spread_over(loops.swapaxes(1, 2), needed)
        sources = any_over(pairs & needed[:, :, None], (0, 1))
        claims: list[UnitMap | None] = [np.full((1,) * rank_of(value), needed.any()) for value in node.inputs]
        claims[0] = spread(sources, rank_of(node.inputs[0]), -1)
        for index in range(5, min(7, len(node.inputs))):
            claims[index] = state_map(node, needed) if rank_of(node.inputs[index]) == 3 else LIVE
        return claims


def product_axes(use: WeightUse) -> tuple[int, int]:
    """Axis of the data that a Gemm's or MatMul's weight sums over, and the axis of the result that it makes."""
    node, data = use.node, use.node.inputs[1 - use.index]
    if node.op_type == "Gemm":
        if use.index == 1:
            return (0 if integer(node, "transA", 0) else 1), 1
        return (1 if integer(node, "transB", 0) else 0), 0
    flat = rank_of(data) == 1
    return (-1, -1) if use.index == 1 or flat else (-2, -2)


def recurrent_map(node: ir.Node, index: int, hidden: UnitMap) -> UnitMap:
    """Map of output ``index`` (all steps, last state, last cell) from hidden units ``(directions, hidden)``."""
    if index == 0:
        return hidden[None, None] if integer(node, "layout", 0) else hidden[None, :, None, :]
    return state_map(node, hidden)


def state_map(node: ir.Node, hidden: UnitMap) -> UnitMap:
    """Map of a first or last state from hidden units."""
    return hidden[None] if integer(node, "layout", 0) else hidden[:, None, :]


def output_units(node: ir.Node, index: int, units: UnitMap) -> UnitMap:
    """Hidden units ``(directions or 1, hidden or 1)`` from the map of output ``index``; inverse of `recurrent_map`."""
    if index > 0:
        return state_units(node, units)
    if units.ndim != 4:
        return units.any(keepdims=True).reshape(1, 1)
    return any_over(units, (0, 1)) if integer(node, "layout", 0) else any_over(units, (0, 2))


def state_units(node: ir.Node, units: UnitMap) -> UnitMap:
    """Hidden units from the map of a first or last state; inverse of `state_map`."""
    if units.ndim != 3:
        return units.any(keepdims=True).reshape(1, 1)
    return any_over(units, 0 if integer(node, "layout", 0) else 1)


def _bias(node: ir.Node, inputs: Maps) -> UnitMap | None:
    return inputs[2] if len(inputs) > 2 else None


def _times(pairs: NDArray[np.bool_], units: UnitMap) -> UnitMap:
    """Rows of ``pairs`` ``(..., out, in)`` that a live unit of ``(in,)`` or ``(1,)`` reaches."""
    result: UnitMap
    if units.size == 1 and pairs.shape[-1] != 1:
        result = any_over(pairs, -1) if units.item() else np.zeros(pairs.shape[:-1], np.bool_)
    else:
        result = pairs @ units
    return result


def _spread_over(loops: NDArray[np.bool_], units: UnitMap) -> UnitMap:
    """Units ``(directions, hidden)`` reached from the given ones along any number of recurrent connections."""
    while True:
        wider = units | any_over(loops & units[:, None, :], 2)
        if (wider == units).all():
            return wider
        units = wider


def _free_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    """A product of two tensors that are no maskable weights: rows of the one, columns of the other."""
    first, second = inputs
    ranks = [rank_of(value) for value in node.inputs]
    if min(ranks) < 2 or any(units is not None and units.ndim < 2 for units in inputs):
        return MIX.forward(node, inputs)
    rows = None if first is None else any_over(first, -1, keepdims=True)
    columns = None if second is None else any_over(second, -2, keepdims=True)
    if rows is None or columns is None:
        return [rows if columns is None else columns]
    return [rows | columns]


def _free_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units = outputs[0]
    values = [value for value in node.inputs if value is not None]
    if units is None or units.ndim < 2 or len(values) != 2 or min(rank_of(value) for value in values) < 2:
        return MIX.backward(node, outputs)
    claims = any_over(units, -1, keepdims=True), any_over(units, -2, keepdims=True)
    return [_batched(value, claim) for value, claim in zip(values, claims, strict=True)]


def _batched(value: ir.Value, units: UnitMap) -> UnitMap:
    """Broadcasting concerns the axes before the last two only, on which sizes may be 1 without being broadcast."""
    rank = rank_of(value)
    if units.ndim > rank:
        units = any_over(units, tuple(range(units.ndim - rank)))
    if units.ndim < rank:
        units = units.reshape((1,) * (rank - units.ndim) + units.shape)
    return unbroadcast(value, units)
