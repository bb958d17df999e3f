"""Channel pattern: whole output units (filters of a convolution) are kept or removed (Li et al. 2017, arXiv:1608.08710)."""

import numpy as np

from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.placement import keep_smallest
from search_spaces.masks.streams import permutation


def channel(layer: MaskLayer, nnz: int, rng: np.random.Generator) -> Mask:
    """Random out units keep all their connections; the last one keeps some, at random, so that the count is exact."""
    ranks = permutation(layer.shape[0], rng)
    return keep_smallest(rng.random(layer.shape) + ranks.reshape(-1, *[1] * (len(layer.shape) - 1)), nnz)
