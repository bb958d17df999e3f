"""Crossing of two masks of one architecture: every part of the child comes from one of its parents."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks.layer import Mask

BY_UNIT = 0.5
"""Probability that the parts are output units; otherwise they are whole layers."""


def from_first(masks: Mapping[str, Mask], rng: np.random.Generator) -> dict[str, NDArray[np.bool_]]:
    """Which parts of a child come from the first parent, each with probability 1/2.

    Args:
        masks: masks of either parent by name of the layer; only their shapes are read.
        rng: generator that draws the parts.

    Returns:
        For every layer a bool array that is broadcast against its mask: ``np.where(part, first, second)`` is the child's mask. The
        same arrays choose among the parents' weights in canonical orientation.
    """
    by_unit = rng.random() < BY_UNIT
    return {
        name: (rng.random(len(mask) if by_unit else 1) < 0.5).reshape(-1, *(1,) * (mask.ndim - 1))
        for name, mask in masks.items()
    }
