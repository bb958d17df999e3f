"""Placing an exact number of connections: the steps that patterns share."""

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks.layer import Mask
from search_spaces.masks.streams import permutation


def keep_smallest(priority: NDArray[np.float64], nnz: int) -> Mask:
    """Mask of the `nnz` smallest entries of `priority`; infinite entries are never kept, even if fewer remain."""
    flat = priority.ravel()
    mask = np.zeros(flat.size, dtype=np.bool_)
    if nnz >= flat.size:
        mask[:] = True
    elif nnz > 0:
        # By position, since a comparison with the nnz-th value would keep too many entries on ties.
        mask[np.argpartition(flat, nnz - 1)[:nnz]] = True
    mask &= flat < np.inf
    return mask.reshape(priority.shape)


def spread_evenly(mask: Mask, groups: NDArray[np.bool_], nnz: int, most: int, rng: np.random.Generator) -> Mask:
    """Keep `nnz` random places so that the groups hold nearly the same number, at most `most` each.

    Args:
        mask: output array like `groups`, filled and returned.
        groups: bool ``(groups, size)``, False where a shorter group has no place.
        nnz: number of places to keep; if the groups can hold only fewer, they are filled.
        most: largest number in one group.
        rng: generator that draws the places.
    """
    keys = rng.random(groups.shape)
    keys[~groups] = np.inf
    order = keys.argsort(axis=1)[:, :most]
    # The r-th place of every group comes before the (r + 1)-th place of any group, so counts differ by at most one.
    priority = np.arange(order.shape[1]) + rng.random(order.shape)
    priority[~np.take_along_axis(groups, order, axis=1)] = np.inf
    mask[:] = False
    np.put_along_axis(mask, order, keep_smallest(priority, nnz), axis=1)
    return mask


def unit_degrees(units: int, edges: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Divide `edges` among `units`: all get the same number, some random ones get one more."""
    each, more = divmod(edges, units)
    degrees = np.full(units, each, dtype=np.int64)
    degrees[permutation(units, rng)[:more]] += 1
    return degrees
