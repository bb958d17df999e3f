"""Units that must be kept when the dead ones are removed from a graph.

Operators tie units together: a sum can lose a unit only if all its operands lose it, a grouped convolution can lose
only whole groups, and the two directions of a recurrent layer must lose the same number. The kept units are the smallest
set that contains all units an output depends on and respects every tie. They are unit maps, of size 1 where nothing is cut.
"""

import numpy as np
import onnx_ir as ir

from onnx_graph.operators import CONVOLUTIONS, ELEMENTWISE, operator_of
from onnx_graph.propagation.relation import Relation, without_gates
from onnx_graph.units.live_units import MIXED, Liveness, captured_names, fitted, name_of_value, passed, relation_of
from onnx_graph.units.unit_map import UnitMap, along, any_over, fit, length_of, rank_of, spread, unbroadcast
from onnx_graph.units.weighted_nodes import output_units, product_axes, recurrent_map, state_map, state_units
from onnx_graph.weight import WeightUse, initializer_of, integer

Kept = dict[str, UnitMap]
_CUT_WITH_CONSTANTS = ELEMENTWISE | {"batch_norm"}
"""Kinds of operators whose constants are cut together with the units."""


def kept_units(model: ir.Model, found: Liveness) -> Kept:
    """Kept units of every value that depends on an input, by name."""
    ties = _Ties(model, found)
    while ties.sweep():
        pass
    return ties.kept


def varying(units: UnitMap) -> tuple[int, ...]:
    """The axes along which a map distinguishes units."""
    return tuple(axis for axis, length in enumerate(units.shape) if length > 1)


class _Ties:
    def __init__(self, model: ir.Model, found: Liveness) -> None:
        self.found = found
        self.opset = model.opset_imports.get("", 1)
        self.nodes = [node for node in model.graph if self._depends(node)]
        self.kept: Kept = {}
        self.hidden: dict[ir.Node, UnitMap] = {}
        self._relations: dict[ir.Node, Relation] = {}
        self.changed = False
        shared: dict[str, int] = {}
        for use in found.weighted.all_uses():
            shared[use.weight.name] = shared.get(use.weight.name, 0) + 1
        self.shared = {name for name, times in shared.items() if times > 1}
        for node in self.nodes:
            for value in node.outputs:
                name = name_of_value(value)
                if not name:  # an omitted output
                    continue
                self.kept[name] = _folded(fit(value, found.backward.get(name, np.array(False))))
        for value in (*model.graph.inputs, *model.graph.outputs):
            self.kept[name_of_value(value)] = np.ones((1,) * rank_of(value), np.bool_)

    def _depends(self, node: ir.Node) -> bool:
        names = [*(name_of_value(value) for value in node.inputs), *captured_names(node)]
        return any(name in self.found.forward for name in names)

    def sweep(self) -> bool:
        """Apply every tie once; returns whether any map grew."""
        self.changed = False
        for node in self.nodes:
            for name in captured_names(node):
                self._keep_all(name)
            self._tie(node)
            for value in node.outputs:
                self._make_regular(value)
        return self.changed

    def _get(self, value: ir.Value | None) -> UnitMap | None:
        return self.kept.get(name_of_value(value))

    def _grow(self, value: ir.Value | None, units: UnitMap | None) -> None:
        name = name_of_value(value)
        old = self.kept.get(name)
        if old is None or units is None or value is None:
            return
        new = _folded(old | fit(value, units))
        if new.shape != old.shape or (new != old).any():
            self.kept[name], self.changed = new, True

    def _keep_all(self, name: str) -> None:
        old = self.kept.get(name)
        if old is not None and not old.all():
            self.kept[name], self.changed = np.ones((1,) * old.ndim, np.bool_), True

    def _make_regular(self, value: ir.Value) -> None:
        """Make the kept part of a tensor non-empty and rectangular."""
        units = self._get(value)
        if units is None or units.all():
            return
        axes = varying(units)
        if not axes:
            self._keep_all(name_of_value(value))
            return
        if len(axes) > 1:
            counts = units.sum(axis=axes[-1])
            if counts.min() != counts.max():
                self._grow(value, _along_best_axis(units))

    def _keep_one(self, value: ir.Value, axis: int, length: int) -> None:
        """Keep the first unit of a layer without any live unit."""
        units = self._get(value)
        if units is not None and units.ndim and not units.any():
            self._grow(value, spread(np.arange(length) == 0, units.ndim, axis))

    def _tie(self, node: ir.Node) -> None:
        uses, kind = self.found.weighted.uses.get(node), operator_of(node).kind
        if node in self.found.weighted.reached:
            self._tie_recurrent(node)
        elif uses and kind == "dense":
            self._tie_product(node, next(iter(uses.values())))
        elif uses and kind in CONVOLUTIONS and self._get_bias(node) is None:
            self._tie_convolution(node, uses[1])
        else:
            self._tie_flow(node)

    def _get_bias(self, node: ir.Node) -> UnitMap | None:
        return self._get(node.inputs[2]) if len(node.inputs) > 2 else None

    def _relation(self, node: ir.Node) -> Relation:
        """How the node's outputs depend on its inputs; every unit depends on every unit if none can be removed."""
        if node not in self._relations:
            self._relations[node] = self._found_relation(node) if self._can_be_cut(node) else MIXED
        return self._relations[node]

    def _found_relation(self, node: ir.Node) -> Relation:
        live = [self._get(value) is not None for value in node.inputs]
        # A unit that is multiplied by zero is kept or removed together with its product.
        return without_gates(relation_of(node, self.opset, live, self.found.weighted))

    def _can_be_cut(self, node: ir.Node) -> bool:
        operator = operator_of(node)
        if operator.rigid or captured_names(node):
            return False
        if operator.kind in CONVOLUTIONS:  # one with a bias that depends on the data
            return False
        if node.op_type == "Resize" and len(node.inputs) > 3 and node.inputs[3] is not None:
            return False
        if operator.kind == "reshape" and operator.settings and not self._reshapes_by_constant(node):
            return False
        return operator.kind not in _CUT_WITH_CONSTANTS or all(map(self._cuttable, node.inputs))

    def _reshapes_by_constant(self, node: ir.Node) -> bool:
        if "axes" in node.attributes:
            return True
        return len(node.inputs) > 1 and initializer_of(node.inputs[1]) is not None

    def _cuttable(self, value: ir.Value | None) -> bool:
        """Whether an operand is absent, cut with its producer, one number, or an initializer that can be cut."""
        if value is None or self._get(value) is not None or initializer_of(value) is not None:
            return True
        return value.shape is not None and all(dim == 1 for dim in value.shape)

    def _tie_flow(self, node: ir.Node) -> None:
        relation = self._relation(node)
        self._spare_moved_axes(node)
        inputs = [self._get(value) for value in node.inputs]
        made = passed(relation, node, inputs)
        for result, units in zip(node.outputs, made, strict=False):
            self._grow(result, units)
        self._spare_constants(node)
        outputs = [self._get(value) for value in node.outputs]
        if any(units is not None for units in outputs):
            needed = passed(relation, node, fitted(outputs, made), back=True)
            for value, units in zip(node.inputs, needed, strict=False):
                self._grow(value, units)

    def _spare_moved_axes(self, node: ir.Node) -> None:
        """Keep all units where an operator would separate or renumber them.

        A Slice, Gather, Split or Pad refers to positions along its axes. Units that lie along several axes (directions
        and hidden units) are cut along the last of these axes, which a Transpose must keep in the last place.
        """
        value, units = (node.inputs[0], self._get(node.inputs[0])) if node.inputs else (None, None)
        if units is None or value is None or not varying(units):
            return
        axes, kind = varying(units), operator_of(node).kind
        if node.op_type == "Transpose" and len(axes) > 1:
            order = tuple(node.attributes.get_ints("perm", ()) or reversed(range(units.ndim)))
            if max(axes, key=order.index) != axes[-1]:
                self._grow(value, any_over(units, axes[:-1], keepdims=True))
        elif node.op_type == "Gather":
            if integer(node, "axis", 0) % units.ndim == axes[-1]:
                self._grow(value, any_over(units, axes[-1], keepdims=True))
        elif kind in ("slice", "pad"):
            length = length_of(value, axes[-1])
            result = node.outputs[0]
            if rank_of(result) != units.ndim or length is None or length_of(result, axes[-1]) != length:
                self._grow(value, any_over(units, axes[-1], keepdims=True))

    def _spare_constants(self, node: ir.Node) -> None:
        """Ensure that a constant operand is cut along one axis at most."""
        units = self._get(node.outputs[0])
        if units is None or len(varying(units)) < 2:
            return
        constants = [initializer_of(value) for value in node.inputs if self._get(value) is None]
        if operator_of(node).kind in _CUT_WITH_CONSTANTS and any(
            value is not None and value.const_value is not None and value.const_value.size > 1 for value in constants
        ):
            self._grow(node.outputs[0], any_over(units, varying(units)[:-1], keepdims=True))

    def _tie_product(self, node: ir.Node, use: WeightUse) -> None:
        data, result = node.inputs[1 - use.index], node.outputs[0]
        into, out = product_axes(use)
        self._only_along(data, into)
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        if use.weight.name in self.shared or not self._cuttable(bias):
            self._keep_all(name_of_value(data))
            self._keep_all(name_of_value(result))
        self._grow(result, self._get(bias))
        self._only_along(result, out)
        self._keep_one(result, out, use.weight.shape[0])
        units = self._get(result)
        if bias is not None and units is not None:
            self._grow(bias, unbroadcast(bias, units))

    def _only_along(self, value: ir.Value | None, axis: int) -> None:
        units = self._get(value)
        if units is not None and units.ndim:
            others = tuple(other for other in varying(units) if other != axis % units.ndim)
            if others:
                self._grow(value, any_over(units, others, keepdims=True))

    def _tie_convolution(self, node: ir.Node, use: WeightUse) -> None:
        data, result = node.inputs[0], node.outputs[0]
        self._only_along(data, 1)
        self._only_along(result, 1)
        self._keep_one(result, 1, use.weight.shape[0])
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        if use.weight.name in self.shared or not self._cuttable(bias):
            self._keep_all(name_of_value(data))
            self._keep_all(name_of_value(result))
        groups = use.weight.groups
        if groups > 1 and data is not None:
            before, after = self._get(data), self._get(result)
            channels = use.weight.shape[1] * groups
            kept = np.zeros(groups, np.bool_)
            for units, length in ((before, channels), (after, use.weight.shape[0])):
                if units is not None:
                    kept |= np.broadcast_to(along(units, 1), length).reshape(groups, -1).any(axis=1)
            for value, length in ((data, channels), (result, use.weight.shape[0])):
                self._grow(value, np.repeat(kept, length // groups).reshape(1, -1, *(1,) * (rank_of(value) - 2)))

    def _tie_recurrent(self, node: ir.Node) -> None:
        found = self.found.weighted
        directions, size = found.reached[node].shape
        hidden = self.hidden.get(node)
        if hidden is None:
            hidden = np.zeros((directions, size), np.bool_) | found.needed.get(node, np.array(False))
        for index, value in enumerate(node.outputs):
            units = self._get(value)
            if units is not None:
                hidden = hidden | output_units(node, index, units)
        states = [state for state in node.inputs[5:7] if state is not None]
        for state in states:
            units = self._get(state)
            if units is not None:
                hidden = hidden | state_units(node, units)
        names = [use.weight.name for use in found.uses[node].values()]
        if not self.shared.isdisjoint(names) or not all(map(self._cuttable, node.inputs)):
            hidden = np.ones((directions, size), np.bool_)
        hidden = self.hidden[node] = _equal_counts(hidden)
        for index, value in enumerate(node.outputs):
            self._grow(value, recurrent_map(node, index, hidden))
        for state in states:
            self._grow(state, state_map(node, hidden))
        self._only_along(node.inputs[0], -1)
        for index, operand in enumerate(node.inputs):
            if index not in (0, 5, 6):
                self._keep_all(name_of_value(operand))


def _folded(units: UnitMap) -> UnitMap:
    """The same map with size 1 along every axis on which it does not vary."""
    for axis in varying(units):
        first = units.take([0], axis=axis)
        if (units == first).all():
            units = first
    return units


def _along_best_axis(units: UnitMap) -> UnitMap:
    """The smallest map that contains this one and distinguishes units along one axis only."""
    axes = varying(units)
    lines = [any_over(units, tuple(other for other in axes if other != axis), keepdims=True) for axis in axes]
    return min(lines, key=lambda line: float(line.mean()))


def _equal_counts(hidden: UnitMap) -> UnitMap:
    """Add dead units to the directions with fewer units until all directions keep the same number, at least one."""
    target = max(1, int(hidden.sum(axis=1).max()))
    result = hidden.copy()
    for row in result:
        row[np.flatnonzero(~row)[: target - int(row.sum())]] = True
    return result
