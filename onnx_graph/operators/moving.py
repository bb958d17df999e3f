"""Operators that move numbers to other positions: reshape, transpose, join, split, pick, pad, repeat."""

from dataclasses import replace
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from onnx_graph.operators.axes import axis_of, countable, length, made_by, positive, rank_of, shape_of
from onnx_graph.operators.operator import NOT_FOLLOWED, Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.field import Dims
from onnx_graph.propagation.places import Cut, Part, Pick, Put
from onnx_graph.propagation.regroup import Regroup
from onnx_graph.propagation.relation import Path, Relation, mixing, paths
from onnx_graph.propagation.step import Drop, Fold, Gate, Move, Step, Stretch

_UNKNOWN = "lengths are not known"


def reshape(call: Call) -> Relation:
    """The same numbers in the same order."""
    return paths(Path(0, 0, (Regroup(shape_of(call), made_by(call)),)))


def transpose(call: Call) -> Relation:
    """Axes in another order."""
    rank = rank_of(call)
    order = positive(call.integers("perm") or tuple(reversed(range(rank))), rank)
    if sorted(order) != list(range(rank)):
        raise ValueError(f"{order} is no order of {rank} axes")
    return paths(Path(0, 0, (Move(order),)))


def blocks(call: Call) -> Relation:
    """DepthToSpace: channels become positions."""
    (examples, channels, high, wide), size = shape_of(call), call.integer("blocksize", 1)
    deep = (length(channels) or 0) // size**2
    if call.text("mode", "DCR") == "DCR":
        split: Dims = (examples, size, size, deep, high, wide)
        order = (0, 3, 4, 1, 5, 2)
    else:
        split, order = (examples, deep, size, size, high, wide), (0, 1, 4, 2, 5, 3)
    return _rearranged(call, split, order)


def places_as_channels(call: Call) -> Relation:
    """SpaceToDepth: positions become channels."""
    (examples, channels, high, wide), size = shape_of(call), call.integer("blocksize", 1)
    split = (examples, channels, (length(high) or 0) // size, size, (length(wide) or 0) // size, size)
    return _rearranged(call, split, (0, 3, 5, 1, 2, 4))


def _rearranged(call: Call, split: Dims, order: tuple[int, ...]) -> Relation:
    moved = tuple(split[axis] for axis in order)
    return paths(Path(0, 0, (Regroup(shape_of(call), split), Move(order), Regroup(moved, made_by(call)))))


def concat(call: Call) -> Relation:
    """Joined along one axis."""
    rank = len(made_by(call))
    axis = axis_of(call, 1, rank)
    lengths = [length(shape_of(call, index)[axis]) for index in range(len(call.inputs))]
    live = [index for index, one in enumerate(call.live) if one]
    known = [one for one in lengths if one is not None]
    if len(known) < len(lengths):
        return paths(*(Path(0, index, (Fold((axis,)),)) for index in live), blurs=_UNKNOWN)
    ends = list(accumulate(known, initial=0))
    parts = [Part(axis, start, stop, ends[-1]) for start, stop in pairwise(ends)]
    return paths(*(Path(0, index, (Put(parts[index]),)) for index in live))


def split(call: Call) -> Relation:
    """Cut into parts along one axis."""
    axis = axis_of(call, 0, rank_of(call))
    whole = length(shape_of(call)[axis])
    lengths = [None if shape is None else length(shape[axis]) for shape in call.outputs]
    known = [one for one in lengths if one is not None]
    outputs = range(len(lengths))
    if len(known) < len(lengths) or whole != sum(known):
        return paths(*(Path(output, 0, (Fold((axis,)),)) for output in outputs), blurs=_UNKNOWN)
    parts = [Part(axis, start, stop, whole) for start, stop in pairwise(accumulate(known, initial=0))]
    return paths(*(Path(output, 0, (Cut(parts[output]),)) for output in outputs))


def slice_(call: Call) -> Relation:
    """Slice: positions along some axes, given by start, end and step."""
    shape = shape_of(call)
    found = slices(call, len(shape))
    if found is None:
        return mixing("its limits are computed")
    steps: list[Step] = []
    blurs = ""
    for axis, taken in found.items():
        places = length(shape[axis])
        if places is None:
            steps.append(Fold((axis,)))
            blurs = _UNKNOWN
        elif taken.indices(places) != (0, places, 1):
            steps.append(Pick(axis, np.arange(countable(places))[taken], places))
    return paths(Path(0, 0, tuple(steps)), blurs=blurs)


def slices(call: Call, rank: int) -> dict[int, slice] | None:
    """The slice that a Slice takes of every axis that it names; None if it depends on computed values."""
    starts, ends = call.integers("starts"), call.integers("ends")
    axes, steps = call.integers("axes"), call.integers("steps")
    if starts is None or ends is None or (axes is None and call.given(3)) or (steps is None and call.given(4)):
        return None
    named = positive(axes if axes is not None else range(len(starts)), rank)
    each = zip(named, starts, ends, steps or (1,) * len(starts), strict=True)
    return {axis: slice(start, _end(end, step), step) for axis, start, end, step in each}


def _end(end: int, step: int) -> int | None:
    """Exporters write the smallest integer for "before the first position"; Python would count it from the end."""
    return None if step < 0 and end < -(2**31) + 2 else end


def gather(call: Call) -> Relation:
    """Gather: positions along one axis, given by constant numbers."""
    shape, index = shape_of(call), call.constant(1)
    if index is None or index.dtype.kind not in "iu":
        return mixing("which places are taken depends on the data")
    axis = axis_of(call, 0, len(shape))
    places = length(shape[axis])
    if places is None:
        return mixing(_UNKNOWN)
    taken = _positive_places(index.astype(np.int64).ravel(), countable(places))
    steps: list[Step] = [Pick(axis, taken, places)]
    if index.ndim == 0:
        steps.append(Drop((axis,)))
    elif index.ndim > 1:
        flat = (*shape[:axis], index.size, *shape[axis + 1 :])
        steps.append(Regroup(flat, (*shape[:axis], *index.shape, *shape[axis + 1 :])))
    return paths(Path(0, 0, tuple(steps)))


def _positive_places(index: NDArray[np.int64], places: int) -> NDArray[np.int64]:
    found = np.where(index < 0, index + places, index)
    if (found < 0).any() or (found >= places).any():
        raise ValueError(f"places outside an axis of {places}")
    return found


def gather_elements(call: Call) -> Relation:
    """Each position takes the value of another position along one axis."""
    shape, axis = shape_of(call), axis_of(call, 0, rank_of(call))
    made = made_by(call)
    if any(made[other] != shape[other] for other in range(len(shape)) if other != axis):
        return mixing("it takes a part of the other axes")
    return paths(
        Path(0, 0, (Fold((axis,)),)), blurs="places are taken one by one, each from another one along the axis"
    )


def triangle(call: Call) -> Relation:
    """Trilu: only the positions above or below a diagonal are kept."""
    *_, rows, columns = shape_of(call)
    shift = call.integers("k") if call.given(1) else (0,)
    if not isinstance(rows, int) or not isinstance(columns, int) or shift is None:
        return mixing("its diagonal is computed, or lengths are not known")
    upper = call.integer("upper", 1)
    countable(rows * columns)
    ones = np.ones((rows, columns), np.bool_)
    kept = np.triu(ones, shift[0]) if upper else np.tril(ones, shift[0])
    return paths(Path(0, 0, (Gate(kept.reshape((1,) * (rank_of(call) - 2) + kept.shape)),)))


def pad(call: Call) -> Relation:
    """Pad: adds constants at the borders, or repeats values there."""
    shape = shape_of(call)
    pads = call.integers("pads") or call.integers("paddings")
    axes = call.integers("axes")
    if pads is None or (axes is None and call.given(3)):
        return mixing("its widths are computed")
    named = positive(axes, len(shape)) if axes is not None else tuple(range(len(shape)))
    if len(pads) != 2 * len(named):
        raise ValueError(f"{len(pads)} widths for {len(named)} axes")
    mode = call.text("mode", "constant")
    steps: list[Step] = []
    blurs = ""
    for axis, before, after in zip(named, pads[: len(named)], pads[len(named) :], strict=True):
        places = length(shape[axis])
        if places is None and (before or after):
            steps.append(Fold((axis,)))
            blurs = _UNKNOWN
        elif places is not None and (before or after):
            steps.append(Pick(axis, _padded(places, before, after, mode), places))
    return paths(Path(0, 0, tuple(steps)), blurs=blurs)


def _padded(places: int, before: int, after: int, mode: str) -> NDArray[np.int64]:
    """For every position of the padded axis, the position that it comes from; −1 for a constant."""
    countable(places + abs(before) + abs(after))
    found = np.arange(-before, places + after)
    if mode == "edge":
        return np.clip(found, 0, places - 1)
    if mode == "wrap":
        return found % places
    if mode == "reflect":
        period = max(2 * (places - 1), 1)
        return (places - 1) - np.abs(found % period - (places - 1))
    return np.where((found < 0) | (found >= places), -1, found)


def expand(call: Call) -> Relation:
    """Broadcast to a shape."""
    return paths(Path(0, 0, (Stretch(shape_of(call), len(made_by(call))),)))


def tile(call: Call) -> Relation:
    """Repeated along the axes."""
    shape, repeats = shape_of(call), call.integers("repeats")
    if repeats is None:
        return mixing("its repeats are computed")
    steps: list[Step] = []
    blurs = ""
    for axis, (dim, times) in enumerate(zip(shape, repeats, strict=True)):
        places = length(dim)
        if places is None and times != 1:
            steps.append(Fold((axis,)))
            blurs = _UNKNOWN
        elif places is not None and times != 1:
            steps.append(Pick(axis, np.arange(countable(places * times)) % places, places))
    return paths(Path(0, 0, tuple(steps)), blurs=blurs)


_MOVES = Operator(moves=True, zero="kept")
_SEQUENCE = Operator(kind="concat", folds=False)

JOINS = (
    *Operator(kind="concat", flow=concat, reads=None, zero="kept").named("Concat"),
    *_SEQUENCE.named("ConcatFromSequence SequenceConstruct SplitToSequence SequenceAt SequenceInsert SequenceErase"),
)
PICKS = (
    *replace(_MOVES, kind="slice", flow=split, settings={1: "split"}, defaults={"axis": 0}).named("Split"),
    *replace(_MOVES, kind="slice", flow=slice_, settings={1: "starts", 2: "ends", 3: "axes", 4: "steps"}).named(
        "Slice"
    ),
    *replace(
        _MOVES, kind="slice", flow=gather, ports={0: "table"}, settings={1: "indices"}, defaults={"axis": 0}
    ).named("Gather"),
    *replace(_MOVES, kind="slice", flow=gather_elements, rigid=True, defaults={"axis": 0}).named("GatherElements"),
    *replace(_MOVES, kind="slice", flow=NOT_FOLLOWED, settings={1: "indices"}).named("GatherND"),
    *replace(_MOVES, kind="slice", flow=NOT_FOLLOWED).named("Compress"),
    *replace(_MOVES, kind="slice", flow=triangle, moves=False, rigid=True, settings={1: "k"}).named("Trilu"),
)
PADS = Operator(kind="pad", flow=pad, settings={1: "pads", 3: "axes"}, defaults={"mode": "constant"}).named("Pad")
COPIES = (
    *replace(_MOVES, kind="resize", flow=tile, rigid=True, settings={1: "repeats"}).named("Tile"),
    *replace(_MOVES, kind="resize", flow=expand, rigid=True, settings={1: "shape"}).named("Expand"),
)
ORDERS = (
    *replace(_MOVES, kind="transpose", flow=transpose).named("Transpose"),
    *replace(_MOVES, kind="transpose", flow=blocks, rigid=True, defaults={"mode": "DCR"}).named("DepthToSpace"),
    *replace(_MOVES, kind="transpose", flow=places_as_channels, rigid=True).named("SpaceToDepth"),
    *Operator(kind="transpose").named("Col2Im"),
    *replace(_MOVES, kind="transpose", flow=NOT_FOLLOWED).named("ReverseSequence"),
)
_RESHAPE = replace(_MOVES, kind="reshape", flow=reshape)
RESHAPES = (
    *replace(_RESHAPE, settings={1: "shape"}).named("Reshape"),
    *_RESHAPE.named("Flatten"),
    *replace(_RESHAPE, settings={1: "axes"}).named("Squeeze Unsqueeze"),
)
OPERATORS = JOINS + PICKS + PADS + ORDERS + RESHAPES
