"""Physical removal of dead units and channels: a smaller graph that computes the same."""

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.boundary import typed
from onnx_graph.cutting.constant_branches import drop_constant_branches
from onnx_graph.cutting.kept_units import Kept, kept_units, varying
from onnx_graph.operators import CONVOLUTIONS, ELEMENTWISE, operator_of
from onnx_graph.rewriting.simplification import simplify
from onnx_graph.units.live_units import Liveness, liveness, name_of_value
from onnx_graph.units.unit_map import UnitMap, along
from onnx_graph.units.weighted_nodes import output_units, product_axes
from onnx_graph.weight import WeightUse, initializer_of


@typed("shrunk")
def shrink(model: ir.Model) -> ir.Model:
    """A new model without the units and channels that have no influence; the original is not changed.

    Units that influence no output are removed, and branches of a sum whose output is zero or constant. All outputs,
    dead ones too, keep their values; inputs and outputs keep their shapes. A unit is kept if an operator prevents its
    removal (a constant index, a softmax over units). One unit of a completely dead layer is also kept.
    """
    small = simplify(model)
    if small is model:
        small = model.clone()
    while True:
        small = drop_constant_branches(small)
        found = liveness(small)
        kept = kept_units(small, found)
        if all(units.all() for units in kept.values()):
            return small
        # The removed connections may have been the last ones of a branch: look again.
        _Cut(small, found, kept).apply()


class _Cut:
    """A pass that cuts initializers, attributes and shapes down to the kept units."""

    def __init__(self, model: ir.Model, found: Liveness, kept: Kept) -> None:
        self.model = model
        self.found = found
        self.kept = kept
        self.edits: dict[ir.Value, list[tuple[ir.Node, int, NDArray[np.generic]]]] = {}

    def apply(self) -> None:
        for node in self.model.graph:
            self._cut(node)
        for value, edits in self.edits.items():
            self._replace(value, edits)
        for node in self.model.graph:
            for value in node.outputs:
                self._cut_shape(value)
        graph = self.model.graph
        for name in [
            name for name, value in graph.initializers.items() if not value.uses() and not value.is_graph_output()
        ]:
            del graph.initializers[name]

    def _indices(self, value: ir.Value | None, axis: int, length: int) -> NDArray[np.intp]:
        """Numbers of the kept units along an axis."""
        units = self.kept.get(name_of_value(value))
        if units is None or units.size == 1:
            return np.arange(length)
        return np.flatnonzero(along(units, axis)) if units.shape[axis] > 1 else np.arange(length)

    def _cut(self, node: ir.Node) -> None:
        uses = self.found.weighted.uses.get(node)
        dynamic = any(name_of_value(value) in self.kept for value in node.inputs)
        if not dynamic:
            return
        operator = operator_of(node)
        if node in self.found.weighted.reached:
            self._cut_recurrent(node)
        elif uses and operator.kind == "dense":
            self._cut_product(node, next(iter(uses.values())))
        elif uses and operator.kind in CONVOLUTIONS:
            self._cut_convolution(node, uses[1])
        elif node.op_type == "Reshape":
            self._cut_target_shape(node)
        elif operator.kind == "batch_norm":
            self._cut_vectors(node, operator.ports, axis=1)
        elif operator.kind in ELEMENTWISE:
            for index in range(len(node.inputs)):
                self._cut_operand(node, index)

    def _edit(self, node: ir.Node, index: int, array: NDArray[np.generic]) -> None:
        value = initializer_of(node.inputs[index])
        if (
            value is not None
            and value.const_value is not None
            and array.shape != tuple(value.const_value.shape.numpy())
        ):
            self.edits.setdefault(value, []).append((node, index, array))

    def _array(self, node: ir.Node, index: int) -> NDArray[np.generic] | None:
        """The data of a constant operand; None for any other."""
        value = node.inputs[index] if len(node.inputs) > index else None
        if name_of_value(value) in self.kept:
            return None
        value = initializer_of(value)
        return None if value is None or value.const_value is None else value.const_value.numpy()

    def _cut_product(self, node: ir.Node, use: WeightUse) -> None:
        into, out = product_axes(use)
        rows = self._indices(node.outputs[0], out, use.weight.shape[0])
        columns = self._indices(node.inputs[1 - use.index], into, use.weight.shape[1])
        array = self._array(node, use.index)
        if array is not None:
            self._edit(
                node,
                use.index,
                use.weight.canonical(array)[np.ix_(rows, columns)].T
                if use.weight.transposed
                else array[np.ix_(rows, columns)],
            )
        self._cut_operand(node, 2)

    def _cut_convolution(self, node: ir.Node, use: WeightUse) -> None:
        weight = use.weight
        out, into = weight.shape[:2]
        rows = self._indices(node.outputs[0], 1, out)
        array = self._array(node, 1)
        if array is None:
            return
        canonical = weight.canonical(array)[rows]
        groups = weight.groups
        if groups == 1:
            canonical = canonical[:, self._indices(node.inputs[0], 1, into)]
        else:
            groups = len(rows) // (out // groups)
        if weight.transposed:
            canonical = canonical.reshape(groups, -1, *canonical.shape[1:]).swapaxes(1, 2)
            canonical = canonical.reshape(-1, *canonical.shape[2:])
        self._edit(node, 1, canonical)
        if groups != weight.groups:
            node.attributes["group"] = ir.AttrInt64("group", groups)
        self._cut_vectors(node, (2,), axis=1)

    def _cut_vectors(self, node: ir.Node, indices: Iterable[int], axis: int) -> None:
        """One-dimensional constants with one entry per output unit."""
        for index in indices:
            array = self._array(node, index)
            if array is not None:
                self._edit(node, index, array[self._indices(node.outputs[0], axis, len(array))])

    def _cut_operand(self, node: ir.Node, index: int) -> None:
        """A constant operand that broadcasts with the output."""
        array, units = self._array(node, index), self.kept.get(name_of_value(node.outputs[0]))
        if array is None or units is None or not varying(units):
            return
        axis = varying(units)[-1] - units.ndim
        if -axis <= array.ndim and array.shape[axis] > 1:
            self._edit(node, index, array.take(np.flatnonzero(along(units, axis)), axis=axis))

    def _cut_recurrent(self, node: ir.Node) -> None:
        operator = operator_of(node)
        rows = self._hidden(node)
        if rows is None:
            return
        into = self._indices(node.inputs[0], -1, self.found.weighted.uses[node][1].weight.shape[1])
        size = rows.shape[1]
        for index, role in operator.ports.items():
            array = self._array(node, index) if role in ("weight", "bias", "peephole") else None
            if array is None:
                continue
            blocks = operator.blocks(index)
            parts = []
            for part, kept in zip(array, rows, strict=True):
                part = part.reshape(blocks, -1, *part.shape[1:])[:, kept]
                parts.append(part.reshape(-1, *part.shape[2:]))
            array = np.stack(parts)
            if index == 1:
                array = array[:, :, into]
            elif index == 2:
                array = np.stack([part[:, kept] for part, kept in zip(array, rows, strict=True)])
            self._edit(node, index, array)
        self._cut_states(node, rows)
        node.attributes["hidden_size"] = ir.AttrInt64("hidden_size", size)

    def _hidden(self, node: ir.Node) -> NDArray[np.intp] | None:
        """Numbers of the kept hidden units, ``(directions, kept)``."""
        directions, size = self.found.weighted.reached[node].shape
        for index, value in enumerate(node.outputs):
            units = self.kept.get(name_of_value(value))
            if units is not None and varying(units):
                hidden = np.broadcast_to(output_units(node, index, units), (directions, size))
                return np.stack([np.flatnonzero(row) for row in hidden])
        return np.tile(np.arange(size), (directions, 1))

    def _cut_states(self, node: ir.Node, rows: NDArray[np.intp]) -> None:
        by_batch = bool("layout" in node.attributes and node.attributes["layout"].value)
        for index in (5, 6):
            array = self._array(node, index)
            if array is not None:
                array = array.swapaxes(0, 1) if by_batch else array
                array = np.stack([part[:, kept] for part, kept in zip(array, rows, strict=True)])
                self._edit(node, index, array.swapaxes(0, 1) if by_batch else array)

    def _cut_target_shape(self, node: ir.Node) -> None:
        units, target = self.kept.get(name_of_value(node.outputs[0])), self._array(node, 1)
        value = initializer_of(node.inputs[1])
        if units is None or target is None or value is None or not varying(units):
            return
        axis = varying(units)[-1]
        changed = target.copy()
        if changed[axis] != -1:
            changed[axis] = _count(units)
            # Edits of the same shape may differ in content: compare their values.
            self.edits.setdefault(value, []).append((node, 1, changed))

    def _replace(self, value: ir.Value, edits: list[tuple[ir.Node, int, NDArray[np.generic]]]) -> None:
        """Replace an initializer's data by the cut array if all its users need the same one; else make new initializers."""
        first = edits[0][2]
        same = all(np.array_equal(array, first) for _, _, array in edits[1:])
        users = {(use.node, use.idx) for use in value.uses()}
        if same and users == {(node, index) for node, index, _ in edits} and not value.is_graph_output():
            value.const_value = self._tensor(value, first, value.name or "")
            value.shape = ir.Shape(first.shape)
            return
        for number, (node, index, array) in enumerate(edits):
            name = f"{value.name}.cut{number}"
            while name in self.model.graph.initializers:
                name += "_"
            new = ir.Value(
                name=name, shape=ir.Shape(array.shape), type=value.type, const_value=self._tensor(value, array, name)
            )
            self.model.graph.register_initializer(new)
            node.replace_input_with(index, new)

    def _tensor(self, value: ir.Value, array: NDArray[np.generic], name: str) -> ir.Tensor[NDArray[np.generic]]:
        dtype = value.const_value.dtype if value.const_value is not None else None
        return ir.Tensor(np.ascontiguousarray(array), dtype=dtype, name=name)

    def _cut_shape(self, value: ir.Value) -> None:
        units = self.kept.get(name_of_value(value))
        if units is None or value.shape is None or not varying(units):
            return
        dims = list(value.shape)
        dims[varying(units)[-1]] = _count(units)
        value.shape = ir.Shape(dims)


def _count(units: UnitMap) -> int:
    """Length of the cut axis."""
    axes = varying(units)
    others = int(np.prod([units.shape[axis] for axis in axes[:-1]], dtype=np.int64))
    return int(units.sum()) // others
