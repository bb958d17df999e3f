"""Connections of a mask: between two channels one for every kernel position that is not masked."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def connections(mask: NDArray[np.bool_]) -> Array:
    """Non-zeros between every unit and every input, float64 ``(out, in)``, of a canonical mask ``(out, in, *kernel)``."""
    out, inner = mask.shape[:2]
    if mask.size == out * inner:
        return mask.reshape(out, inner).astype(np.float64)
    # A product with ones sums a short axis several times faster than a sum; whole numbers up to 2²⁴ stay exact.
    flat = mask.reshape(out * inner, -1).astype(np.float32)
    return np.asarray(flat @ np.ones(flat.shape[1], np.float32), np.float64).reshape(out, inner)


def fours(values: Array) -> Array:
    """Sums of every four entries along the last axis, which four divides."""
    found: Array = (values.reshape(-1, 4) @ np.ones(4)).reshape(*values.shape[:-1], -1)
    return found


def connections_of_fours(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Non-zeros among every four inputs at one kernel position, ``(groups, positions)``; what is left over is not read."""
    whole, positions = mask.shape[1] // 4 * 4, int(np.prod(mask.shape[2:]))
    flat = np.ascontiguousarray(mask[:, :whole]).reshape(-1).view(np.uint8)
    if not flat.size:
        return np.zeros((0, positions), np.uint8)
    # Shifted copies of all entries are added, though of the sums but a quarter is read: long rows are added fastest.
    span = flat.size - 3 * positions
    sums = np.empty_like(flat)
    np.add(flat[:span], flat[positions : positions + span], out=sums[:span])
    for shift in (2 * positions, 3 * positions):
        sums[:span] += flat[shift : shift + span]
    return sums.reshape(-1, 4 * positions)[:, :positions]
