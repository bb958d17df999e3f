"""Masks of gated layers: the pattern is drawn once and shared by all gates, or drawn once per gate."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from search_spaces.candidate import Json
from search_spaces.masks.layer import Mask, MaskLayer

# (layer with one gate, nnz, generator, **options) → bool mask with the layer's shape.
Pattern: TypeAlias = Callable[..., Mask]


def place(
    pattern: Pattern,
    layer: MaskLayer,
    nnz: int,
    rng: np.random.Generator,
    *,
    share_gates: bool,
    options: Mapping[str, Json],
) -> Mask:
    """Mask of `layer` with `nnz` non-zeros, split evenly over its gates; the first gates take the remainder.

    With `share_gates` all gates have the same structure; gates with one connection fewer lack one of its connections.
    """
    if layer.gates == 1:
        return _place(pattern, layer, nnz, rng, options)
    gate = replace(layer, shape=(layer.shape[0] // layer.gates, *layer.shape[1:]), gates=1)
    fewer, more = divmod(nnz, layer.gates)
    if not share_gates:
        return np.concatenate([_place(pattern, gate, fewer + (g < more), rng, options) for g in range(layer.gates)])
    seed = int(rng.random() * 2**53)
    small = _place(pattern, gate, fewer, np.random.default_rng(seed), options)
    if more == 0:
        return np.concatenate([small] * layer.gates)
    large = _place(pattern, gate, fewer + 1, np.random.default_rng(seed), options)
    # Most patterns only add a connection if the same stream is asked for one more; random graphs may change completely.
    if (small & ~large).any():
        small = _without_one(large, rng)
    return np.concatenate([large] * more + [small] * (layer.gates - more))


def _place(pattern: Pattern, layer: MaskLayer, nnz: int, rng: np.random.Generator, options: Mapping[str, Json]) -> Mask:
    """The mask of the pattern; the empty and the full mask are made here, so that no pattern has to handle them."""
    if nnz == 0:
        return np.zeros(layer.shape, dtype=np.bool_)
    if nnz == layer.size:
        return np.ones(layer.shape, dtype=np.bool_)
    return pattern(layer, nnz, rng, **options)


def _without_one(mask: Mask, rng: np.random.Generator) -> Mask:
    """`mask` without one connection between units of the highest degrees, so that a near-regular graph stays near-regular."""
    degrees = mask.sum(axis=1, keepdims=True) + mask.sum(axis=0, keepdims=True)
    chosen = np.where(mask, degrees + 0.5 * rng.random(mask.shape), -1.0).argmax()
    smaller = mask.copy()
    smaller.flat[chosen] = False
    return smaller
