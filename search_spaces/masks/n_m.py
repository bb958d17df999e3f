"""N:M pattern: at most n of every m consecutive inputs of an output (Zhou et al. 2021, arXiv:2102.04010)."""

import math

import numpy as np

from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import is_whole, require
from search_spaces.masks.placement import spread_evenly


def n_m(layer: MaskLayer, nnz: int, rng: np.random.Generator, *, n: int = 2, m: int = 4) -> Mask:
    """Groups that hold nearly the same number of connections, never more than n.

    Args:
        layer: the weight. Groups lie along ``in``, for each output and each place of a kernel; the last one is smaller
            where m does not divide ``in``.
        nnz: connections; more than `capacity` gives that many.
        rng: draws which of a group.
        n: most connections of a group, 1 to m.
        m: inputs of a group.
    """
    _check(n, m)
    inputs = layer.shape[1]
    m = min(m, inputs)  # a larger group would only be padding
    rows = layer.size // inputs
    groups = -(-inputs // m)
    exists = np.broadcast_to(np.arange(groups * m) < inputs, (rows, groups * m)).reshape(rows * groups, m)
    mask = spread_evenly(np.empty(exists.shape, dtype=np.bool_), exists, nnz, n, rng)
    by_row = mask.reshape(rows, groups * m)[:, :inputs].reshape(layer.shape[0], *layer.shape[2:], inputs)
    return np.ascontiguousarray(np.moveaxis(by_row, -1, 1))


def capacity(layer: MaskLayer, *, n: int = 2, m: int = 4) -> int:
    """The most connections that fit, n of m or fewer in the last group."""
    _check(n, m)
    inputs = layer.shape[1]
    return math.prod(layer.shape) // inputs * (inputs // m * n + min(inputs % m, n))


def _check(n: int, m: int) -> None:
    place = "option '{}' of pattern 'n:m'"
    require(is_whole(m) and m >= 1, place.format("m"), m, "a whole number, 1 or more")
    require(is_whole(n) and 1 <= n <= m, place.format("n"), n, f"a whole number from 1 to m, which is {m}")
