"""The maskable weights of a graph as maps of live units: units are connected through non-zeros."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.units.unit_map import UnitMap, any_over, rank_of
from onnx_graph.weight import Weight, WeightUse, array_of, integer, weight_uses

Uses = dict[int, WeightUse]
Pairs = NDArray[np.bool_]


@dataclass(eq=False)
class Weighted:
    """The weight uses and masks of one graph, and the hidden units found alive on the way.

    Attributes:
        uses: uses of weights by node, then by input index.
        masks: canonical mask of every weight by name, as its first use reads it.
        reached: hidden units ``(directions, hidden)`` of each recurrent node that depend on a graph input.
        needed: hidden units of each recurrent node that a graph output depends on.
    """

    uses: dict[ir.Node, Uses] = field(default_factory=dict)
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    reached: dict[ir.Node, UnitMap] = field(default_factory=dict)
    needed: dict[ir.Node, UnitMap] = field(default_factory=dict)
    _first: dict[str, Weight] = field(default_factory=dict)
    _pairs: dict[str, Pairs] = field(default_factory=dict)

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

    def product(self, node: ir.Node, index: int) -> "Product | None":
        """The weight that a node reads as an input; None if the input is not a maskable weight."""
        use = self.uses.get(node, {}).get(index)
        return None if use is None else Product(self.pairs(use), use.weight.groups)

    def recurrence(self, node: ir.Node) -> "Recurrence | None":
        """The weights of a recurrent node; None unless both are maskable."""
        if set(self.uses.get(node, ())) != {1, 2}:
            return None
        return Recurrence(self, node, self.hidden(node, 1), self.hidden(node, 2))

    def pairs(self, use: WeightUse) -> Pairs:
        """Pairs of connected output and input units: the canonical mask, reduced over its kernel, ``(out, in)``."""
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
        """Whether a use reads a shared weight transposed: its input units are the output units of the weight's first use."""
        return use.weight.transposed != self._first[use.weight.name].transposed

    def hidden(self, node: ir.Node, index: int) -> Pairs:
        """Pairs of a recurrent weight, reduced over the gates, ``(directions, hidden, in)``."""
        weight = self.uses[node][index].weight
        key = f"{weight.name}\0hidden"
        if key not in self._pairs:
            mask = self.masks[weight.name].reshape(weight.directions, weight.gates, -1, weight.shape[1])
            self._pairs[key] = any_over(mask, 1)
        return self._pairs[key]


@dataclass(slots=True, eq=False)
class Product:
    """A weight as a map of live units along the last axis.

    Attributes:
        pairs: connected units, ``(out, in)``; for a grouped convolution ``(out, in / groups)``.
        groups: number of groups of a convolution, else 1.
    """

    pairs: Pairs
    groups: int

    def forward(self, field: UnitMap) -> UnitMap:
        """Output units, ``(…, out)``, from input units, ``(…, in or 1)``."""
        if self.groups == 1:
            return _times(self.pairs, field)
        blocks = self.pairs.reshape(self.groups, -1, self.pairs.shape[1])
        return _by_group(blocks, field)

    def backward(self, field: UnitMap) -> UnitMap:
        """The other way."""
        if self.groups == 1:
            return _times(self.pairs.T, field)
        blocks = self.pairs.reshape(self.groups, -1, self.pairs.shape[1])
        return _by_group(blocks.swapaxes(1, 2), field)


@dataclass(frozen=True, slots=True, eq=False)
class Recurrence:
    """The weights of a recurrent node as maps of live units: inputs ``(in,)``, hidden units ``(directions, hidden)``."""

    weighted: Weighted
    node: ir.Node
    inward: Pairs
    loops: Pairs

    def enter(self, field: UnitMap) -> UnitMap:
        """Hidden units that inputs reach."""
        return _times(self.inward, field)

    def leave(self, field: UnitMap) -> UnitMap:
        """Inputs that hidden units need."""
        return any_over(self.inward & field[:, :, None], (0, 1))

    def run(self, field: UnitMap) -> UnitMap:
        """Hidden units that the given ones reach; stored as the units that a graph input reaches."""
        found = self.weighted.reached[self.node] = _spread_over(self.loops, self._whole(field))
        return found

    def run_back(self, field: UnitMap) -> UnitMap:
        """Hidden units that the given ones need; stored as the units that a graph output needs."""
        found = self.weighted.needed[self.node] = _spread_over(self.loops.swapaxes(1, 2), self._whole(field))
        return found

    def _whole(self, field: UnitMap) -> UnitMap:
        return np.broadcast_to(field, self.loops.shape[:2])


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


def _times(pairs: Pairs, units: UnitMap) -> UnitMap:
    """Rows of ``pairs`` ``(…, out, in)`` that live units of ``(…, in or 1)`` reach."""
    inner = pairs.shape[-1]
    if units.size == 1 and inner != 1:
        reached = any_over(pairs, -1) if units.item() else np.zeros(pairs.shape[:-1], np.bool_)
        return reached.reshape(*units.shape[:-1], *reached.shape)
    if units.shape[-1] == 1:
        units = np.broadcast_to(units, (*units.shape[:-1], inner))
    if units.size == inner:
        reached = pairs @ units.reshape(-1)
        return reached.reshape(*units.shape[:-1], *reached.shape)
    # Numbers are multiplied many times faster than truth values.
    found: UnitMap = units.astype(np.float32) @ pairs.T.astype(np.float32) > 0
    return found


def _by_group(blocks: Pairs, units: UnitMap) -> UnitMap:
    """The same for blocks ``(groups, out, in)`` of a block-diagonal matrix."""
    groups, out, inner = blocks.shape
    grouped = np.broadcast_to(units, (*units.shape[:-1], groups * inner)).reshape(*units.shape[:-1], groups, 1, inner)
    return any_over(blocks & grouped, -1).reshape(*units.shape[:-1], groups * out)


def _spread_over(loops: Pairs, units: UnitMap) -> UnitMap:
    """Units ``(directions, hidden)`` reached from the given ones along any number of recurrent connections.

    The number of steps is ignored, even where it is known: a mask keeps its count of live weights for sequences of any length.
    """
    while True:
        wider = units | any_over(loops & units[:, None, :], 2)
        if (wider == units).all():
            return units
        units = wider
