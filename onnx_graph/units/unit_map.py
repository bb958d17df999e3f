"""Unit maps: the live units of a tensor, as fields of truth values (`onnx_graph.propagation.field`).

True means that some element there may be alive: ``(1, C, 1, 1)`` distinguishes the channels of an image, ``(1, 1, F)`` the
features of a sequence. Rank 0 stands for a tensor of unknown rank.
"""

from collections.abc import Sequence
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
    """A map with the rank of its tensor; if it does not fit the tensor's shape, all units are merged into one."""
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
    """A map as one vector along an axis (of length 1 if the map does not distinguish units there)."""
    if units.ndim == 0:
        return units.reshape(1)
    if units.size == units.shape[axis]:
        return units.reshape(-1)
    axis %= units.ndim
    return any_over(units, tuple(other for other in range(units.ndim) if other != axis))


def spread(vector: UnitMap, rank: int, axis: int) -> UnitMap:
    """A vector along an axis as a map of a tensor of that rank."""
    shape = [1] * rank
    if rank:
        shape[axis] = -1
        return vector.reshape(shape)
    return LIVE if vector.any() else DEAD


def rank_of(value: ir.Value | None) -> int:
    """Rank of a tensor, 0 where it is not known."""
    return 0 if value is None or value.shape is None else len(value.shape)


def length_of(value: ir.Value | None, axis: int) -> int | None:
    """Length of a tensor along an axis, None if it is not known."""
    if value is None or value.shape is None:
        return None
    dim = value.shape[axis]
    return dim if isinstance(dim, int) else None


def unbroadcast(value: ir.Value, units: UnitMap) -> UnitMap:
    """The map of one operand, from the map of a broadcast result."""
    if value.shape is None or units.ndim == 0:
        return LIVE if units.any() else DEAD
    dims = value.shape.dims
    if units.ndim > len(dims):
        units = any_over(units, tuple(range(units.ndim - len(dims))))
    once = tuple(axis for axis, length in enumerate(units.shape) if length > 1 and dims[axis] == 1)
    return any_over(units, once, keepdims=True) if once else units
