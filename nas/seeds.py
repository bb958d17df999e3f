"""Seeds derived from one study seed, so that every draw depends on its name and not on earlier draws."""

import hashlib

import numpy as np


def derive(seed: int, *keys: int | str) -> int:
    """A 63-bit seed for the given purpose: `derive(seed, "training", digest, 0)`. It is the same on all machines."""
    text = "\x1f".join(str(key) for key in (seed, *keys))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *keys: int | str) -> np.random.Generator:
    """A generator for the given purpose."""
    return np.random.default_rng(derive(seed, *keys))
