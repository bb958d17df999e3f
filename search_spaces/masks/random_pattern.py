"""Random pattern: every place is equally likely (unstructured)."""

import numpy as np

from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.placement import keep_smallest


def random(layer: MaskLayer, nnz: int, rng: np.random.Generator) -> Mask:
    """`nnz` places drawn without replacement."""
    return keep_smallest(rng.random(layer.shape), nnz)
