"""Which units of a graph are alive: reached by an input and reaching an output through non-zero weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.boundary import typed
from onnx_graph.flow import rule
from onnx_graph.moving_flow import MIX
from onnx_graph.unit_map import UnitMap, along, fit, rank_of
from onnx_graph.weight import WeightUse, array_of, set_weights
from onnx_graph.weighted_flow import Weighted, product_axes


@dataclass(frozen=True, eq=False)
class Liveness:
    """Live units of every tensor, by value name.

    A map is a bool array of the rank of its tensor, of size 1 along axes on which units are not told apart: ``(1, C, 1,
    1)`` for an image, ``(1, F)`` for features. Rank 0: the tensor's rank is not known.

    Attributes:
        forward: which units depend on a graph input; a name that is missing is constant.
        backward: which units a graph output depends on; a name that is missing is not needed at all.
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

    Exact for independent weights in the operators that have a rule; an operator without one mixes all its units (one
    alive, all alive), so that no unit is ever called dead that is not.
    """
    weighted = Weighted.of(model)
    forward: dict[str, UnitMap] = {}
    for value in model.graph.inputs:
        if not value.is_initializer():
            forward[name_of_value(value)] = np.ones((1,) * rank_of(value), np.bool_)
    opset = model.opset_imports.get("", 1)
    steps = list(_forward(model, weighted, opset, forward))
    return Liveness(forward, _backward(model, weighted, opset, forward, steps), weighted)


@typed("followed from input to output")
def effective_masks(model: ir.Model) -> dict[str, NDArray[np.bool_]]:
    """Canonical mask by initializer name: non-zero *and* on a live input→output path."""
    found = liveness(model)
    return {name: _kept(found, uses) for name, uses in _by_name(found).items()}


@typed("trimmed")
def trim(model: ir.Model) -> int:
    """Set every non-zero off the live paths to zero, in place; returns how many there were.

    A connection stays if its source unit depends on a graph input and its target unit influences a graph output. In a
    network with biases that changes the outputs by the constants that such units send.
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


Step = tuple[ir.Node, list[UnitMap | None]]


def _forward(model: ir.Model, weighted: Weighted, opset: int, forward: dict[str, UnitMap]) -> Iterator[Step]:
    """Fill ``forward``; yields the nodes that depend on an input, with the maps of their inputs."""
    for node in model.graph:
        inputs = [None if value is None else forward.get(name_of_value(value)) for value in node.inputs]
        captured = [forward[name] for name in captured_names(node) if name in forward]
        if not captured and all(units is None for units in inputs):
            continue
        if captured:
            outputs = MIX.forward(node, [*inputs, *captured])
        else:
            outputs = _apply(weighted, opset, node, inputs, inputs, 0)
        for value, units in zip(node.outputs, outputs, strict=False):
            if units is not None and value.name:  # an output left out has an empty name
                forward[value.name] = fit(value, units)
        yield node, inputs


def _backward(
    model: ir.Model, weighted: Weighted, opset: int, forward: Mapping[str, UnitMap], steps: Sequence[Step]
) -> dict[str, UnitMap]:
    backward: dict[str, UnitMap] = {
        name_of_value(value): np.ones((1,) * rank_of(value), np.bool_) for value in model.graph.outputs
    }
    for node, inputs in reversed(steps):
        outputs = [backward.get(name_of_value(value)) for value in node.outputs]
        if all(units is None for units in outputs):
            continue
        captured = [name for name in captured_names(node) if name in forward]
        if captured:
            claims = MIX.backward(node, outputs)
            for name in captured:
                backward[name] = np.array(True)
        else:
            claims = _apply(weighted, opset, node, inputs, outputs, 1)
        for value, before, units in zip(node.inputs, inputs, claims, strict=False):
            if value is not None and before is not None and units is not None:
                name, units = name_of_value(value), fit(value, units)
                backward[name] = units if name not in backward else backward[name] | units
    return backward


def _apply(
    weighted: Weighted, opset: int, node: ir.Node, inputs: list[UnitMap | None], maps: list[UnitMap | None], way: int
) -> list[UnitMap | None]:
    flow = weighted.flow(node) or rule(node, opset, inputs)
    try:
        return flow[way](node, maps)
    except (ValueError, IndexError, TypeError):
        # Attributes that do not fit the shapes: nothing onnxruntime would run, but files hold them.
        return MIX[way](node, maps)


def captured_names(node: ir.Node) -> tuple[str, ...]:
    """Names of outer values that the subgraphs of an If, Loop or Scan may read."""
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
    """Mask of a weight on live paths, of any of the nodes that share it."""
    mask = found.weighted.masks[uses[0].weight.name]
    alive: UnitMap | None = None
    for use in uses:
        sources, targets = found.ends(use)
        out, into = use.weight.shape[:2]
        groups = max(use.weight.groups, use.weight.directions)
        pairs = np.broadcast_to(sources & targets, (groups, out // groups, into)).reshape(out, into)
        if found.weighted.is_turned(use):
            if groups > 1:  # the blocks of a grouped weight are not turned as a whole
                return mask
            pairs = pairs.T
        alive = pairs if alive is None else alive | pairs
    if alive is None:
        return mask
    result: NDArray[np.bool_] = mask & alive.reshape(alive.shape + (1,) * (mask.ndim - 2))
    return result


def _sum(value: ir.Value) -> ir.Value:
    """The end of the chain of additions that a value goes into alone."""
    while True:
        users = value.uses()
        if len(users) != 1 or value.is_graph_output():
            return value
        node = next(iter(users)).node
        shape = node.outputs[0].shape if node.outputs else None
        if node.op_type not in ("Add", "Sum") or shape is None or shape != value.shape:
            return value
        value = node.outputs[0]


def name_of_value(value: ir.Value | None) -> str:
    """Name of a value, empty for an absent one."""
    return "" if value is None or value.name is None else value.name
