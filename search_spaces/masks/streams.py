"""Random streams: one for every layer, made from a seed and the layer's name.

Therefore a layer's mask does not change when another layer is added, removed or resized. Patterns draw with
`Generator.random` only, the one method whose stream NumPy has kept the same since 1.17.
"""

import zlib

import numpy as np
from numpy.typing import NDArray


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of layer `name` under `seed` (≥ 0)."""
    return np.random.default_rng((seed << 32) | zlib.crc32(name.encode()))


def permutation(length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The numbers below `length` in random order."""
    return rng.random(length).argsort()
