"""Erdős–Rényi distribution (Mocanu et al. 2018, arXiv:1707.04780): small layers are denser."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks.layer import MaskLayer


def erdos_renyi(layers: Sequence[MaskLayer]) -> NDArray[np.float64]:
    """Relative densities (out + in) / (out · in), of the first two dimensions of the stored weight (gates stacked)."""
    return np.array([sum(layer.shape[:2]) / (layer.shape[0] * layer.shape[1]) for layer in layers])
