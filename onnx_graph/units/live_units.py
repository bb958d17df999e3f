"""Live units of a graph: units that are reached by an input and reach an output through non-zero weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.boundary import typed
from onnx_graph.node_call import NodeCall
from onnx_graph.operators import operator_of
from onnx_graph.operators.operator import relation
from onnx_graph.propagation.algebra import TRUTH
from onnx_graph.propagation.relation import Relation, backward, forward, mixed, mixing
from onnx_graph.units.unit_map import Maps, UnitMap, along, fit, rank_of
from onnx_graph.units.weighted_nodes import Weighted, product_axes
from onnx_graph.weight import WeightUse, array_of, set_weights


@dataclass(frozen=True, eq=False)
class Liveness:
    """Live units of every tensor, by value name.

    A map is a bool array with the rank of its tensor, and of size 1 along axes on which units are not distinguished:
    ``(1, C, 1, 1)`` for an image, ``(1, F)`` for features. Rank 0: the tensor's rank is not known.

    Attributes:
        forward: units that depend on a graph input; a missing name is constant.
        backward: units that a graph output depends on; a missing name is not needed at all.
        weighted: the weights with their masks, and the hidden units of the recurrent nodes.
    """

    forward: Mapping[str, UnitMap]
    backward: Mapping[str, UnitMap]
    weighted: Weighted

    def live(self, name: str) -> UnitMap:
        """Units of a tensor that are alive both ways, as a map."""
        if name not in self.forward or name not in self.backward:
            return np.array(False)
        result: UnitMap = self.forward[name] & self.backward[name]
        return result

    def ends(self, use: WeightUse) -> tuple[UnitMap, UnitMap]:
        """Live sources and targets of a weight, together broadcasting to its folded shape ``(groups, out, in)``.

        Sources depend on an input, targets influence an output; a connection is alive if both its ends are.
        """
        node, weight = use.node, use.weight
        if node in self.weighted.reached:
            return self._recurrent_ends(use)
        source = self.forward.get(name_of_value(node.inputs[1 - use.index]))
        target = self.backward.get(name_of_value(node.outputs[0]))
        if source is None or target is None:
            return np.zeros((1, 1, 1), np.bool_), np.zeros((1, 1, 1), np.bool_)
        into, out = product_axes(use) if weight.kind == "dense" else (1, 1)
        sources, targets = along(source, into), along(target, out)
        groups = weight.groups
        return (
            sources.reshape(groups, 1, -1) if sources.size > 1 else sources.reshape(1, 1, 1),
            targets.reshape(groups, -1, 1) if targets.size > 1 else targets.reshape(1, 1, 1),
        )

    def _recurrent_ends(self, use: WeightUse) -> tuple[UnitMap, UnitMap]:
        node, weight = use.node, use.weight
        needed = self.weighted.needed.get(node)
        if needed is None:
            return np.zeros((1, 1, 1), np.bool_), np.zeros((1, 1, 1), np.bool_)
        if use.index == 2:
            sources = self.weighted.reached[node][:, None, :]
        else:
            units = self.forward.get(name_of_value(node.inputs[0]))
            sources = np.zeros((1, 1, 1), np.bool_) if units is None else along(units, -1).reshape(1, 1, -1)
        return sources, np.tile(needed, (1, weight.gates))[:, :, None]


@typed("followed from input to output")
def liveness(model: ir.Model) -> Liveness:
    """Follow the units of a graph forward from its inputs, then backward from its outputs.

    Exact for independent weights in the operators that have a rule. An operator without a rule mixes all its units (if
    one is alive, all are), so that a live unit is never reported as dead.
    """
    weighted = Weighted.of(model)
    maps: dict[str, UnitMap] = {}
    for value in model.graph.inputs:
        if not value.is_initializer():
            maps[name_of_value(value)] = np.ones((1,) * rank_of(value), np.bool_)
    steps = list(_forward(model, weighted, maps))
    return Liveness(maps, _backward(model, maps, steps), weighted)


@typed("followed from input to output")
def effective_masks(model: ir.Model) -> dict[str, NDArray[np.bool_]]:
    """Canonical mask by initializer name: non-zero *and* on a live input→output path."""
    found = liveness(model)
    return {name: _kept(found, uses) for name, uses in _by_name(found).items()}


@typed("trimmed")
def trim(model: ir.Model) -> int:
    """Set every non-zero off the live paths to zero, in place; returns how many there were.

    A connection is kept if its source unit depends on a graph input and its target unit influences a graph output. In a
    network with biases, units that depend on no input send constants; removing them changes the outputs.
    """
    found = liveness(model)
    changed, removed = {}, 0
    for name, uses in _by_name(found).items():
        if _all_alive(found, uses):
            continue
        mask = found.weighted.masks[name]
        kept = _kept(found, uses)
        lost = int(np.count_nonzero(mask)) - int(np.count_nonzero(kept))
        if lost:
            array = array_of(uses[0].value)
            changed[name] = np.where(uses[0].weight.stored(kept), array, array.dtype.type(0))
            removed += lost
    set_weights(model, changed)
    return removed


@typed("followed from input to output")
def dead_units(model: ir.Model) -> int:
    """Number of output units of weights that no input reaches or that reach no output.

    The unit of a sum (a skip connection) counts once, after the sum; a hidden unit of a recurrent node counts once.
    """
    found = liveness(model)
    units: dict[object, tuple[int, int]] = {}
    for use in found.weighted.all_uses():
        node, weight = use.node, use.weight
        if node in found.weighted.reached:
            alive = found.weighted.reached[node] & found.weighted.needed.get(node, np.array(False))
            units[node] = (alive.size, int(alive.sum()))
            continue
        value = _sum(node.outputs[0])
        axis = product_axes(use)[1] if weight.kind == "dense" else 1
        live = along(found.live(name_of_value(value)), axis)
        units[value] = (weight.shape[0], weight.shape[0] * int(live.item()) if live.size == 1 else int(live.sum()))
    return sum(total - alive for total, alive in units.values())


MIXED = mixing("a graph inside the node reads what is outside")


class _Step(NamedTuple):
    """A node that depends on an input of the graph.

    Attributes:
        node: the node.
        relation: relation of its outputs to its inputs.
        inputs: maps of its inputs; None for constants.
        outputs: maps of its outputs as computed, even if the file states other shapes.
        captured: names of outer values that graphs in its attributes read.
    """

    node: ir.Node
    relation: Relation
    inputs: Maps
    outputs: Maps
    captured: tuple[str, ...]


def _forward(model: ir.Model, weighted: Weighted, maps: dict[str, UnitMap]) -> Iterator[_Step]:
    """Fill ``maps``; yields the nodes that depend on an input."""
    opset = model.opset_imports.get("", 1)
    for node in model.graph:
        inputs = [None if value is None else maps.get(value.name or "") for value in node.inputs]
        names = captured_names(node)
        captured = [maps[name] for name in names if name in maps]
        if not captured and all(units is None for units in inputs):
            continue
        found = MIXED if captured else relation_of(node, opset, [units is not None for units in inputs], weighted)
        made = passed(found, node, [*inputs, *captured])
        for value, units in zip(node.outputs, made, strict=False):
            if units is not None and value.name:  # an omitted output has an empty name
                maps[value.name] = fit(value, units)
        yield _Step(node, found, inputs, made, names)


def _backward(model: ir.Model, forward_maps: Mapping[str, UnitMap], steps: Sequence[_Step]) -> dict[str, UnitMap]:
    maps: dict[str, UnitMap] = {
        name_of_value(value): np.ones((1,) * rank_of(value), np.bool_) for value in model.graph.outputs
    }
    for step in reversed(steps):
        outputs = [maps.get(value.name or "") for value in step.node.outputs]
        if all(units is None for units in outputs):
            continue
        for name in step.captured:
            if name in forward_maps:
                maps[name] = np.array(True)
        needed = passed(step.relation, step.node, fitted(outputs, step.outputs), back=True)
        for value, before, units in zip(step.node.inputs, step.inputs, needed, strict=False):
            if value is not None and before is not None and units is not None:
                name, units = name_of_value(value), fit(value, units)
                maps[name] = units if name not in maps else maps[name] | units
    return maps


def fitted(maps: Maps, made: Maps) -> list[UnitMap | None]:
    """Maps with the ranks of the maps that a node made: the file may state no shape or a different one."""
    found = list(maps)
    for place, (units, other) in enumerate(zip(maps, made, strict=False)):
        if units is not None and other is not None and units.ndim != other.ndim:
            found[place] = np.full((1,) * other.ndim, units.any())
    return found


def relation_of(node: ir.Node, opset: int, live: Sequence[bool], weighted: Weighted) -> Relation:
    """How the outputs of a node depend on its data-dependent inputs."""
    return relation(operator_of(node), live, lambda: NodeCall(node, opset, live, weighted))


def passed(found: Relation, node: ir.Node, maps: Maps, *, back: bool = False) -> Maps:
    """Maps of a node's outputs from the maps of its inputs; with `back`, maps of its inputs from the maps of its outputs."""
    if not found.mixes:
        try:
            return backward(found, maps, TRUTH) if back else forward(found, maps, TRUTH)
        except (ValueError, IndexError):
            pass  # shapes that contradict each other: onnxruntime would not run this, but files contain it
    return mixed(maps, [rank_of(value) for value in (node.inputs if back else node.outputs)], TRUTH)


def captured_names(node: ir.Node) -> tuple[str, ...]:
    """Names of outer values that the subgraphs of an If, Loop or Scan may read."""
    if not node.attributes:
        return ()
    graphs = []
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            graphs.append(attribute.value)
        elif attribute.type == ir.AttributeType.GRAPHS:
            graphs.extend(attribute.value)
    if not graphs:
        return ()
    names: list[str] = []
    for graph in graphs:
        names.extend(name_of_value(value) for inner in graph.all_nodes() for value in inner.inputs if value is not None)
        names.extend(name_of_value(value) for value in graph.outputs)
    return tuple(names)


def _by_name(found: Liveness) -> dict[str, list[WeightUse]]:
    uses: dict[str, list[WeightUse]] = {}
    for use in found.weighted.all_uses():
        uses.setdefault(use.weight.name, []).append(use)
    return uses


def _all_alive(found: Liveness, uses: list[WeightUse]) -> bool:
    return any(all(end.all() for end in found.ends(use)) for use in uses)


def _kept(found: Liveness, uses: list[WeightUse]) -> NDArray[np.bool_]:
    """Mask of a weight's connections on live paths, in any of the nodes that share the weight."""
    mask = found.weighted.masks[uses[0].weight.name]
    alive: UnitMap | None = None
    for use in uses:
        sources, targets = found.ends(use)
        out, into = use.weight.shape[:2]
        groups = max(use.weight.groups, use.weight.directions)
        pairs = np.broadcast_to(sources & targets, (groups, out // groups, into)).reshape(out, into)
        if found.weighted.is_turned(use):
            if groups > 1:  # the blocks of a grouped weight are not transposed as a whole
                return mask
            pairs = pairs.T
        alive = pairs if alive is None else alive | pairs
    if alive is None:
        return mask
    result: NDArray[np.bool_] = mask & alive.reshape(alive.shape + (1,) * (mask.ndim - 2))
    return result


def _sum(value: ir.Value) -> ir.Value:
    """The end of the chain of additions that starts at a value and has no other readers."""
    while True:
        users = value.uses()
        if len(users) != 1 or value.is_graph_output():
            return value
        node = next(iter(users)).node
        shape = node.outputs[0].shape if node.outputs else None
        if not operator_of(node).sums or shape is None or shape != value.shape:
            return value
        value = node.outputs[0]


def name_of_value(value: ir.Value | None) -> str:
    """Name of a value, empty for an absent one."""
    return "" if value is None or value.name is None else value.name
