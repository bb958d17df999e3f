"""How live units flow through operators that move them: transpose, reshape, concatenate, split, slice, gather, pad."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.unit_map import Maps, UnitMap, join, length_of, rank_of, reshape
from onnx_graph.weight import initializer_of, integer


class Flow(NamedTuple):
    """Maps of a node's outputs from those of its inputs, and back.

    None stands for a constant among the inputs, and for nothing needed among the outputs. Backward results stand for
    "no claim on this input" where they are None.
    """

    forward: Callable[[ir.Node, Maps], list[UnitMap | None]]
    backward: Callable[[ir.Node, Maps], list[UnitMap | None]]


def constant_ints(value: ir.Value | None) -> NDArray[np.int64] | None:
    """The integers of a constant input (initializer or Constant node), None for any other."""
    source = initializer_of(value)
    if source is not None and source.const_value is not None:
        array = source.const_value.numpy()
        return array.astype(np.int64) if array.dtype.kind in "iu" else None
    node = value.producer() if value is not None else None
    if node is None or node.op_type != "Constant":
        return None
    for name in ("value", "value_ints", "value_int"):
        if name in node.attributes:
            held = node.attributes[name].value
            array = held.numpy() if isinstance(held, ir.TensorProtocol) else np.asarray(held)
            return array.astype(np.int64) if array.dtype.kind in "iu" else None
    return None


def ints(node: ir.Node, name: str, index: int) -> tuple[int, ...] | None:
    """Integers that older operator sets keep in an attribute and newer ones in a constant input; None if neither."""
    attribute = node.attributes.get(name)
    if attribute is not None:
        value = attribute.value
        return tuple(value) if isinstance(value, Iterable) else (int(value),)
    array = constant_ints(node.inputs[index]) if len(node.inputs) > index else None
    return None if array is None else tuple(array.ravel().tolist())


def _mix_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    alive = any(units is not None and units.any() for units in inputs)
    return [np.full((1,) * rank_of(value), alive) for value in node.outputs]


def _mix_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    alive = any(units is not None and units.any() for units in outputs)
    return [np.full((1,) * rank_of(value), alive) for value in node.inputs]


MIX = Flow(_mix_forward, _mix_backward)


def _perm(node: ir.Node, rank: int) -> tuple[int, ...]:
    return ints(node, "perm", 1) or tuple(reversed(range(rank)))


def _transpose_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    return [units.transpose(_perm(node, units.ndim))]


def _transpose_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units = join(outputs)
    return [units.transpose(np.argsort(_perm(node, units.ndim))) if units.ndim else units]


def _reshape_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    return [reshape(join(inputs), node.inputs[0], node.outputs[0])]


def _reshape_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    return [reshape(join(outputs), node.outputs[0], node.inputs[0])] + [None] * (len(node.inputs) - 1)


def _concat_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    rank, axis = max(units.ndim for units in inputs if units is not None), integer(node, "axis", 0)
    lengths = [length_of(value, axis) for value in node.inputs]
    if any(units is not None and units.ndim != rank for units in inputs) or None in lengths:
        return _mix_forward(node, inputs)
    parts = [np.zeros((1,) * rank, np.bool_) if units is None else units for units in inputs]
    shape = list(np.broadcast_shapes(*(_without(part.shape, axis) for part in parts)))
    wide = []
    for part, length in zip(parts, lengths, strict=True):
        shape[axis] = length  # type: ignore[assignment]
        wide.append(np.broadcast_to(part, shape))
    return [np.concatenate(wide, axis=axis)]


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    changed = list(shape)
    changed[axis] = 1
    return tuple(changed)


def _concat_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units, axis = join(outputs), integer(node, "axis", 0)
    lengths = [length_of(value, axis) for value in node.inputs]
    return _pieces(node, units, axis, lengths, node.inputs)


def _pieces(
    node: ir.Node, units: UnitMap, axis: int, lengths: Sequence[int | None], values: Sequence[ir.Value | None]
) -> list[UnitMap | None]:
    """Cut a map along an axis into pieces of the given lengths."""
    if units.ndim and units.shape[axis] == 1:
        return [units for _ in values]
    if not units.ndim or None in lengths or sum(length or 0 for length in lengths) != units.shape[axis]:
        return [np.full((1,) * rank_of(value), units.any()) for value in values]
    ends = np.cumsum(lengths).tolist()  # type: ignore[arg-type]
    return list(np.split(units, ends[:-1], axis=axis))


def _split_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    axis = integer(node, "axis", 0)
    return _pieces(node, join(inputs), axis, [length_of(value, axis) for value in node.outputs], node.outputs)


def _split_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    axis, rank = integer(node, "axis", 0), rank_of(node.inputs[0])
    lengths = [length_of(value, axis) for value in node.outputs]
    known = [units for units in outputs if units is not None]
    if not rank or None in lengths or any(units.ndim != rank for units in known):
        return _mix_backward(node, outputs)
    shape = list(np.broadcast_shapes(*(_without(units.shape, axis) for units in known)))
    parts = []
    for units, length in zip(outputs, lengths, strict=True):
        shape[axis] = length  # type: ignore[assignment]
        parts.append(np.zeros(shape, np.bool_) if units is None else np.broadcast_to(units, shape))
    return [np.concatenate(parts, axis=axis)] + [None] * (len(node.inputs) - 1)


def picked(node: ir.Node, rank: int) -> tuple[slice | NDArray[np.int64], ...] | None:
    """The constant index, one entry an axis, that a Slice or Gather takes; None where it is not constant."""
    entries: list[slice | NDArray[np.int64]] = [slice(None)] * rank
    if node.op_type == "Gather":
        index, length = constant_ints(node.inputs[1]), length_of(node.inputs[0], integer(node, "axis", 0))
        if index is None or length is None or (index < -length).any() or (index >= length).any():
            return None
        entries[integer(node, "axis", 0)] = index
        return tuple(entries)
    starts, ends = ints(node, "starts", 1), ints(node, "ends", 2)
    wired = [len(node.inputs) > index and node.inputs[index] is not None for index in (3, 4)]
    axes, steps = ints(node, "axes", 3), ints(node, "steps", 4)
    if starts is None or ends is None or (wired[0] and axes is None) or (wired[1] and steps is None):
        return None
    steps = steps or (1,) * len(starts)
    for axis, start, end, step in zip(axes or range(len(starts)), starts, ends, steps, strict=True):
        length = length_of(node.inputs[0], axis)
        # An end below −length means "past the first element" for a negative step; numpy says None for that.
        low = step < 0 and length is not None and end < -length
        entries[axis] = slice(start, None if low else end, step)
    return tuple(entries)


def _pick_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    entries = picked(node, units.ndim)
    if entries is None:
        return _mix_forward(node, inputs)
    # Along an axis where the units are one, they stay one, however many of them are taken.
    held = tuple(
        (np.zeros((1,) * entry.ndim, np.int64) if isinstance(entry, np.ndarray) else slice(None))
        if length == 1
        else entry
        for entry, length in zip(entries, units.shape, strict=True)
    )
    return [units[held]]


def _pick_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units, value = join(outputs), node.inputs[0]
    rank = rank_of(value)
    entries = picked(node, rank) if rank else None
    if entries is None or value is None:
        return _mix_backward(node, outputs)
    shape, position, held = [], 0, list(entries)
    for axis, entry in enumerate(entries):
        length = length_of(value, axis)
        whole = isinstance(entry, slice) and entry == slice(None)
        if not whole and length is None and isinstance(entry, slice) and units.shape[position] == 1:
            # Which of an unknown number (of examples) are taken does not matter where the units are one.
            held[axis], whole = slice(None), True
        if not whole and length is None:
            return _mix_backward(node, outputs)
        shape.append(units.shape[position] if whole or length is None else length)
        position += entry.ndim if isinstance(entry, np.ndarray) else 1
    if position != units.ndim:
        return _mix_backward(node, outputs)
    result = np.zeros(shape, np.bool_)
    if node.op_type == "Gather":
        np.logical_or.at(result, tuple(held), units)  # type: ignore[arg-type]  # an element may be taken twice
    else:
        result[tuple(held)] = units
    return [result] + [None] * (len(node.inputs) - 1)


def _pads(node: ir.Node, rank: int) -> list[tuple[int, int]] | None:
    pads = ints(node, "pads", 1) or ints(node, "paddings", 1)
    mode = node.attributes.get("mode")
    if pads is None or len(pads) != 2 * rank or min(pads) < 0 or (mode is not None and mode.value != "constant"):
        return None
    return list(zip(pads[:rank], pads[rank:], strict=True))


def _pad_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    pads = _pads(node, units.ndim)
    if pads is None:
        return _mix_forward(node, inputs)
    return [np.pad(units, [pad if length > 1 else (0, 0) for pad, length in zip(pads, units.shape, strict=True)])]


def _pad_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units = join(outputs)
    pads = _pads(node, units.ndim) if units.ndim else None
    if pads is None:
        return _mix_backward(node, outputs)
    inner = tuple(
        slice(first, length - last) if length > 1 else slice(None)
        for (first, last), length in zip(pads, units.shape, strict=True)
    )
    return [units[inner]] + [None] * (len(node.inputs) - 1)


_RESHAPE = Flow(_reshape_forward, _reshape_backward)
_PICK = Flow(_pick_forward, _pick_backward)

MOVING: Mapping[str, Flow] = {
    "Transpose": Flow(_transpose_forward, _transpose_backward),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _RESHAPE),
    "Concat": Flow(_concat_forward, _concat_backward),
    "Split": Flow(_split_forward, _split_backward),
    **dict.fromkeys(("Slice", "Gather"), _PICK),
    "Pad": Flow(_pad_forward, _pad_backward),
}
