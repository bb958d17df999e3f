"""Move-density edit: take connections from one layer and give as many to another."""

from collections.abc import Mapping

import numpy as np

from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import require, require_fraction, require_name
from search_spaces.masks.streams import permutation, stream


def move_density(
    masks: Mapping[str, Mask],
    layers: Mapping[str, MaskLayer],
    seed: int,
    *,
    source: str,
    target: str,
    fraction: float,
) -> dict[str, Mask]:
    """The two changed masks, or none if one of the layers is absent; the sum of their non-zeros stays.

    Args:
        masks: of the network.
        layers: of the network.
        seed: of the draw.
        source: layer that loses random connections; it keeps one.
        target: another layer, that gains them at random free places, as many as it has at most.
        fraction: share of the source's non-zeros to move, in (0, 1]; one at least.
    """
    require_fraction("argument 'fraction' of edit 'move-density'", fraction)
    require_name("argument 'source' of edit 'move-density'", source)
    require_name("argument 'target' of edit 'move-density'", target)
    require(source != target, "argument 'target' of edit 'move-density'", target, "a layer other than the source")
    if source not in masks or target not in masks:
        return {}
    giver, taker = masks[source].copy(), masks[target].copy()
    kept, free = np.flatnonzero(giver), np.flatnonzero(~taker)
    count = max(0, min(max(1, round(fraction * len(kept))), len(kept) - 1, len(free)))
    giver.flat[kept[permutation(len(kept), stream(seed, source))[:count]]] = False
    taker.flat[free[permutation(len(free), stream(seed, target))[:count]]] = True
    return {source: giver, target: taker}
