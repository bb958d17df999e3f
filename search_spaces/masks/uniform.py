"""Uniform distribution: the same density in every layer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks.layer import MaskLayer


def uniform(layers: Sequence[MaskLayer]) -> NDArray[np.float64]:
    """Relative densities, all equal."""
    return np.ones(len(layers))
