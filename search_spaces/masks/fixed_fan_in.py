"""Fixed fan-in pattern: every out unit reads the same number of random places (Lasby et al. 2023, arXiv:2305.02299).

SRigL trains such masks; here the mask is drawn, as in Prabhu et al. 2018 (arXiv:1711.08757). In units may have any degree.
"""

import numpy as np

from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.placement import spread_evenly


def fixed_fan_in(layer: MaskLayer, nnz: int, rng: np.random.Generator) -> Mask:
    """`nnz` random places; their numbers per out unit differ by at most one.

    The fan-in of a convolution's filter counts single entries of its kernels, in × kernel places.
    """
    fan_in = layer.size // layer.shape[0]
    places = np.ones((layer.shape[0], fan_in), dtype=np.bool_)
    return spread_evenly(places.copy(), places, nnz, fan_in, rng).reshape(layer.shape)
