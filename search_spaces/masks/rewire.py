"""Rewire edit: move a fraction of the connections to free places, as SET does (Mocanu et al. 2018, arXiv:1707.04780)."""

from collections.abc import Mapping

import numpy as np

from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import require_fraction, require_name
from search_spaces.masks.streams import permutation, stream


def rewire(
    masks: Mapping[str, Mask],
    layers: Mapping[str, MaskLayer],
    seed: int,
    *,
    fraction: float,
    layer: str | None = None,
) -> dict[str, Mask]:
    """The changed masks; every layer keeps its number of non-zeros.

    Args:
        masks: of the network.
        layers: of the network.
        seed: of the draw.
        fraction: share of a layer's non-zeros to move, in (0, 1]; one at least, as many as there are free places at most.
        layer: the one to change; all if None, nothing if it is absent.
    """
    require_fraction("argument 'fraction' of edit 'rewire'", fraction)
    if layer is not None:
        require_name("argument 'layer' of edit 'rewire'", layer)
    names = masks if layer is None else [layer] if layer in masks else []
    return {name: _moved(masks[name], fraction, stream(seed, name)) for name in names}


def _moved(mask: Mask, fraction: float, rng: np.random.Generator) -> Mask:
    changed = mask.copy()
    kept, free = np.flatnonzero(mask), np.flatnonzero(~mask)
    count = min(max(1, round(fraction * len(kept))), len(kept), len(free))
    changed.flat[kept[permutation(len(kept), rng)[:count]]] = False
    changed.flat[free[permutation(len(free), rng)[:count]]] = True
    return changed
