"""Erdős–Rényi-Kernel distribution (Evci et al. 2020, arXiv:1911.11134): like Erdős–Rényi, kernels included."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks.layer import MaskLayer


def erk(layers: Sequence[MaskLayer]) -> NDArray[np.float64]:
    """Relative densities: sum of a weight's dimensions over their product (gates stacked along out)."""
    return np.array([sum(layer.shape) / layer.size for layer in layers])
