"""Swap edits: exchange the connections of pairs of units of one layer, incoming (rows) or outgoing (columns)."""

from collections.abc import Mapping

import numpy as np

from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import require_count, require_name
from search_spaces.masks.streams import permutation, stream


def swap_rows(
    masks: Mapping[str, Mask], layers: Mapping[str, MaskLayer], seed: int, *, layer: str, count: int = 1
) -> dict[str, Mask]:
    """The changed mask; nothing if the layer is absent.

    Args:
        masks: of the network.
        layers: of the network.
        seed: of the draw.
        layer: its out units (a convolution's filters; a gated layer's hidden units, in all gates alike) are exchanged.
        count: disjoint pairs, 1 or more, as many as there are at most.
    """
    _check("swap-rows", layer, count)
    if layer not in masks:
        return {}
    by_gate = masks[layer].reshape(layers[layer].gates, -1, *masks[layer].shape[1:])
    order = _exchanged(by_gate.shape[1], count, stream(seed, layer))
    return {layer: by_gate[:, order].reshape(masks[layer].shape)}


def swap_columns(
    masks: Mapping[str, Mask], layers: Mapping[str, MaskLayer], seed: int, *, layer: str, count: int = 1
) -> dict[str, Mask]:
    """As `swap_rows`, of in units (a convolution's input channels)."""
    _check("swap-columns", layer, count)
    if layer not in masks:
        return {}
    order = _exchanged(masks[layer].shape[1], count, stream(seed, layer))
    return {layer: np.take(masks[layer], order, axis=1)}


def _check(edit: str, layer: str, count: int) -> None:
    require_name(f"argument 'layer' of edit {edit!r}", layer)
    require_count(f"argument 'count' of edit {edit!r}", count)


def _exchanged(units: int, count: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The order of the units after `count` exchanges of random disjoint pairs."""
    pairs = min(count, units // 2)
    drawn = permutation(units, rng)
    order = np.arange(units)
    order[drawn[:pairs]], order[drawn[pairs : 2 * pairs]] = drawn[pairs : 2 * pairs], drawn[:pairs]
    return order
