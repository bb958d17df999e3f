"""Unit maps: which units of a tensor are alive, in the form of the tensor.

A *unit map* is a bool array of the rank of its tensor, of size 1 along every axis on which the units are not told
apart: ``(1, C, 1, 1)`` for the channels of an image, ``(1, 1, F)`` for the features of a sequence. True means that some
element there may be alive. Rank 0 stands for a tensor of unknown rank. With that, broadcasting, transposing and
concatenating maps is what numpy does with arrays.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

UnitMap: TypeAlias = NDArray[np.bool_]
Maps: TypeAlias = Sequence[UnitMap | None]

LIVE: UnitMap = np.array(True)
DEAD: UnitMap = np.array(False)


def any_over(units: UnitMap, axes: int | tuple[int, ...], *, keepdims: bool = False) -> UnitMap:
    """`ndarray.any` that always gives an array."""
    return np.asarray(np.any(units, axis=axes, keepdims=keepdims))


def fit(value: ir.Value, units: UnitMap) -> UnitMap:
    """A map brought to the rank of its tensor; all its units one where it does not fit the tensor's shape."""
    shape = value.shape
    if shape is None:
        return LIVE if units.any() else DEAD
    dims = shape.dims
    if units.ndim == len(dims):
        for length, dim in zip(units.shape, dims, strict=True):
            if length != 1 and length != dim and isinstance(dim, int):
                break
        else:
            return units
    elif units.size == 1:
        return units.reshape((1,) * len(dims))
    return np.full((1,) * len(dims), units.any())


def along(units: UnitMap, axis: int) -> UnitMap:
    """A map as one vector along an axis (of length 1 where the units are one)."""
    if units.ndim == 0:
        return units.reshape(1)
    if units.size == units.shape[axis]:
        return units.reshape(-1)
    axis %= units.ndim
    return any_over(units, tuple(other for other in range(units.ndim) if other != axis))


def spread(vector: UnitMap, rank: int, axis: int) -> UnitMap:
    """A vector as map of a tensor of that rank."""
    shape = [1] * rank
    if rank:
        shape[axis] = -1
        return vector.reshape(shape)
    return LIVE if vector.any() else DEAD


def rank_of(value: ir.Value | None) -> int:
    """Rank of a tensor, 0 where it is not known."""
    return 0 if value is None or value.shape is None else len(value.shape)


def length_of(value: ir.Value | None, axis: int) -> int | None:
    """Length of a tensor along an axis, None where it is not known."""
    if value is None or value.shape is None:
        return None
    dim = value.shape[axis]
    return dim if isinstance(dim, int) else None


def join(maps: Maps) -> UnitMap:
    """Union of maps that broadcast; one unit where they do not."""
    known = [units for units in maps if units is not None]
    result = known[0]
    for units in known[1:]:
        try:
            result = result | units
        except ValueError:
            return LIVE if any(each.any() for each in known) else DEAD
    return result


def unbroadcast(value: ir.Value, units: UnitMap) -> UnitMap:
    """The claim of a broadcast result's map on one of its operands."""
    if value.shape is None or units.ndim == 0:
        return LIVE if units.any() else DEAD
    dims = value.shape.dims
    if units.ndim > len(dims):
        units = any_over(units, tuple(range(units.ndim - len(dims))))
    once = tuple(axis for axis, length in enumerate(units.shape) if length > 1 and dims[axis] == 1)
    return any_over(units, once, keepdims=True) if once else units


def reshape(units: UnitMap, source: ir.Value | None, target: ir.Value | None) -> UnitMap:
    """Carry a map over a reshape: runs of axes of equal product are matched from the right, then from the left."""
    if (
        source is None
        or target is None
        or source.shape is None
        or target.shape is None
        or units.ndim != len(source.shape)
    ):
        return LIVE if units.any() else DEAD
    before, after = source.shape.dims, target.shape.dims
    if units.size == 1:
        return units.reshape((1,) * len(after))
    wide: list[int | ir.SymbolicDim] = [1] * len(before)
    shape: list[int | ir.SymbolicDim] = [1] * len(after)
    for inner, outer, clear in _runs(before, after):
        if any(length > 1 for length in units.shape[inner]):
            if clear:
                wide[inner], shape[outer] = before[inner], after[outer]
            else:
                units = any_over(units, tuple(range(inner.start, inner.stop)), keepdims=True)
    return np.broadcast_to(units, wide).reshape(shape)  # type: ignore[arg-type]


def _runs(
    before: Sequence[int | ir.SymbolicDim], after: Sequence[int | ir.SymbolicDim]
) -> Iterable[tuple[slice, slice, bool]]:
    """Matching runs of axes of two shapes, and whether their products are known to be equal."""
    right_in, right_out = len(before), len(after)
    while right_in and right_out:
        run = _run(before, after, right_in, right_out)
        if run is None:
            break
        yield slice(run[0], right_in), slice(run[1], right_out), True
        right_in, right_out = run
    left = 0
    while left < min(right_in, right_out) and _same(before[left], after[left]):
        yield slice(left, left + 1), slice(left, left + 1), isinstance(before[left], int)
        left += 1
    if left < right_in or left < right_out:
        yield slice(left, right_in), slice(left, right_out), False


def _run(
    before: Sequence[int | ir.SymbolicDim], after: Sequence[int | ir.SymbolicDim], i: int, j: int
) -> tuple[int, int] | None:
    """Starts of the shortest runs ending before axes ``i`` and ``j`` that have the same product; None if unknown."""
    one, two = before[i - 1], after[j - 1]
    i, j = i - 1, j - 1
    while isinstance(one, int) and isinstance(two, int) and one and two:
        if one == two:
            return i, j
        if one < two:
            if not i:
                return None
            i -= 1
            step = before[i]
            one = one * step if isinstance(step, int) else step
        else:
            if not j:
                return None
            j -= 1
            step = after[j]
            two = two * step if isinstance(step, int) else step
    return None


def _same(one: int | ir.SymbolicDim, two: int | ir.SymbolicDim) -> bool:
    if isinstance(one, int) or isinstance(two, int):
        return one == two
    return one.value is not None and one.value == two.value
