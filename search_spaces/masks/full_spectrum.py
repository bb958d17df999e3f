"""Full-spectrum pattern: of several random masks the one whose spectrum lies farthest from the dense layer's.

Hoang et al., "Don't just prune by magnitude! Your mask topology is a secret weapon", NeurIPS 2023: the distance of the
coordinate `spectrum.full_spectrum` from its start was nearly linear in accuracy there, and masks are sampled to maximise
it. The paper measures it on the network's own weights; a pattern sees none, so that He-normal ones are drawn. See `spectrum`
for the trap: the gap, one of the four numbers, has a rank correlation of about -0.11 with accuracy on public networks.
"""

import math

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks import spectrum
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import require_count
from search_spaces.masks.random_pattern import random


def full_spectrum(layer: MaskLayer, nnz: int, rng: np.random.Generator, *, draws: int = 8) -> Mask:
    """The farthest, in Euclidean distance, of `draws` random masks; the weights are drawn first and are those of all."""
    require_count("option 'draws' of pattern 'full-spectrum'", draws)
    weights = _he_normal(layer, rng)
    masks = [random(layer, nnz, rng) for _ in range(draws)]
    start = spectrum.full_spectrum(np.ones(layer.shape, dtype=np.bool_), weights)
    distances = [np.linalg.norm(spectrum.full_spectrum(mask, weights) - start) for mask in masks]
    # Rounded, so that a tie does not hang on the last digit of the linear algebra at hand.
    return masks[int(np.round(distances, 6).argmax())]


def _he_normal(layer: MaskLayer, rng: np.random.Generator) -> NDArray[np.float64]:
    """Weights of variance 2 / fan-in, by Box and Muller: streams keep `Generator.random` alone the same for ever."""
    radius = np.sqrt(-2.0 * np.log1p(-rng.random(layer.shape)))
    deviation = math.sqrt(2 * layer.shape[0] / layer.size)
    weights: NDArray[np.float64] = deviation * radius * np.cos(2 * np.pi * rng.random(layer.shape))
    return weights
