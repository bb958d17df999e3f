"""Block pattern: b × b blocks of connections are kept or removed whole (Narang et al. 2017, arXiv:1711.02782)."""

import numpy as np

from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import require_count
from search_spaces.masks.placement import keep_smallest
from search_spaces.masks.streams import permutation


def block(layer: MaskLayer, nnz: int, rng: np.random.Generator, *, size: int = 4) -> Mask:
    """Random blocks; the last one is kept in part, at random, so that the count is exact.

    Args:
        layer: the weight; blocks lie on ``(out, in)``, of a convolution they hold whole kernels.
        nnz: connections.
        rng: draws the blocks.
        size: side of a block; those at the right and lower edge are cut off.
    """
    require_count("option 'size' of pattern 'block'", size)
    out, inputs = layer.shape[:2]
    across = -(-inputs // size)
    ranks = permutation(-(-out // size) * across, rng)
    numbers = (np.arange(out) // size)[:, np.newaxis] * across + np.arange(inputs) // size
    return keep_smallest(
        rng.random(layer.shape) + ranks[numbers].reshape(out, inputs, *[1] * (len(layer.shape) - 2)), nnz
    )
