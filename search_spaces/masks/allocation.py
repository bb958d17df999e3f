"""From relative densities to the exact number of non-zeros of every layer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def allocate(scores: NDArray[np.float64], sizes: Sequence[int], capacities: Sequence[int], total: int) -> list[int]:
    """Divide `total` non-zeros among the layers: density of layer l = ε · scores[l], the same ε for all layers.

    A layer that would exceed its capacity is filled to it and ε is solved again for the others (Evci et al. 2020).
    Counts are rounded by largest remainder (ties: the first layer) and add up to `total`. No layer gets 0 if `total` is at
    least the number of layers; the largest counts give up the non-zeros that this needs.

    Args:
        scores: relative densities > 0, one per layer.
        sizes: weights of every layer.
        capacities: most non-zeros that every layer may hold, 1 to its size.
        total: sum of the result, at most the sum of the capacities.
    """
    limits = np.asarray(capacities, dtype=np.int64)
    exact = _fill(scores * np.asarray(sizes), limits, total)
    counts = np.minimum(np.floor(exact + 1e-9).astype(np.int64), limits)
    # Rounded, so that equal layers tie even if the last bits of their counts differ.
    remainders = np.where(counts < limits, np.round(exact - counts, 9), -1.0)
    counts[np.argsort(-remainders, kind="stable")[: total - int(counts.sum())]] += 1
    if total >= len(counts):
        for empty in np.flatnonzero(counts == 0):
            counts[counts.argmax()] -= 1
            counts[empty] = 1
    return [int(count) for count in counts]


def _fill(demand: NDArray[np.float64], limits: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    """min(ε · demand, limits) with ε such that the sum is `total`."""
    exact = np.zeros(len(demand))
    free = np.ones(len(demand), dtype=np.bool_)
    while free.any():
        left = total - float(limits[~free].sum())
        exact = np.where(free, demand * (left / demand[free].sum()), limits)
        over = free & (exact > limits)
        if not over.any():
            break
        # ε only grows when a full layer is taken out, so a layer that is full stays full.
        free &= ~over
    return exact
