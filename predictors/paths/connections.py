"""Connections of a mask: two channels have one connection for every kernel position that is not masked."""

from math import prod

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_AT_ONCE = 1 << 22  # number of entries converted to floats at once
_EXACT = 1 << 24  # largest count that single precision represents exactly


def connections(mask: NDArray[np.bool_]) -> Array:
    """Non-zeros between every unit and every input, float64 ``(out, in)``, of a canonical mask ``(out, in, *kernel)``."""
    out, inner = mask.shape[:2]
    if mask.size == out * inner:
        return mask.reshape(out, inner).astype(np.float64)
    positions = prod(mask.shape[2:])
    if positions >= _EXACT:
        return np.asarray(np.count_nonzero(mask.reshape(out, inner, -1), axis=2), np.float64)
    found, ones = np.empty((out, inner)), np.ones(positions, np.float32)
    rows = max(_AT_ONCE // max(inner * positions, 1), 1)
    for start in range(0, out, rows):
        # A product with ones sums a short axis several times faster than a sum.
        part = mask[start : start + rows].reshape(-1, positions).astype(np.float32)
        found[start : start + rows] = (part @ ones).reshape(-1, inner)
    return found


def fours(values: Array) -> Array:
    """Sums of every four entries along the last axis, whose length is a multiple of four."""
    found: Array = (values.reshape(-1, 4) @ np.ones(4)).reshape(*values.shape[:-1], values.shape[-1] // 4)
    return found


def connections_of_fours(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Non-zeros among every four inputs at one kernel position, ``(groups, positions)``; an incomplete group of four is not read."""
    whole, positions = mask.shape[1] // 4 * 4, prod(mask.shape[2:])
    flat = np.ascontiguousarray(mask[:, :whole]).reshape(-1).view(np.uint8)
    if not flat.size:
        return np.zeros((0, positions), np.uint8)
    # Shifted copies of all entries are added, although only a quarter of the sums is used: adding long rows is fastest.
    span = flat.size - 3 * positions
    sums = np.empty_like(flat)
    np.add(flat[:span], flat[positions : positions + span], out=sums[:span])
    for shift in (2 * positions, 3 * positions):
        sums[:span] += flat[shift : shift + span]
    return sums.reshape(-1, 4 * positions)[:, :positions]
