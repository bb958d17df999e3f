"""What an expert would run first: good mask methods on plain networks, and small dense networks that fit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nas.engine.keep import KeepRule
from nas.engine.plain_networks import SCALES, plain_networks
from nas.measure.costs import counts
from search_spaces import Candidate, LearnedMask, SearchSpace

METHODS = ("espn", "obd", "gumbel", "gradual", "iht", "rigl")
"""Methods that a search chooses from, the most promising at few weights first (`benchmarks/masks/README.md`)."""


def pruned(space: SearchSpace, keep: KeepRule, methods: Sequence[str]) -> list[tuple[int, Candidate]]:
    """Every method on every plain network that has more weights than may be kept, each with the number of its plain network.

    The methods are in the given order. Where bytes or other costs are bound, few weights of a wide network meet the bound, but many of
    a narrow one. Then the plain networks of all `SCALES` take part, those first that keep about the share `keep.SHARE` of their weights.
    """
    found: dict[str, tuple[int, Candidate]] = {}
    scaled = [plain_networks(space, scale) for scale in (SCALES if keep.estimates else SCALES[:1])]
    for method in methods:
        for place in range(len(scaled[0])):
            plans = [learned(several[place], method, keep) for several in scaled if place < len(several)]
            for plan in sorted(filter(None, plans), key=keep.distance):
                found.setdefault(plan.digest, (place, plan))
    return list(found.values())


def small(space: SearchSpace, keep: KeepRule) -> list[Candidate]:
    """For every plain network the widest dense one that meets the constraints."""
    found: dict[str, Candidate] = {}
    for place in range(len(plain_networks(space))):
        for scale in SCALES:
            several = plain_networks(space, scale)
            if place < len(several) and _fits(space, several[place], keep):
                found.setdefault(several[place].digest, several[place])
                break
    return list(found.values())


def learned(
    dense: Candidate, method: str, keep: KeepRule, rng: np.random.Generator | None = None, length: float = 1.0
) -> Candidate | None:
    """A dense candidate whose mask is to be learned; None if the whole network fits, or no part of it.

    `rng` draws the number of weights if there is a front of sizes to find; `length` is a share of a whole training.
    """
    if keep.fits(dense):
        return None
    wanted = keep.drawn(dense, rng, method)
    if wanted is None:
        return None
    return replace(dense, mask=LearnedMask(method=method, keep=wanted, length=length))


def _fits(space: SearchSpace, dense: Candidate, keep: KeepRule) -> bool:
    return keep.fits(dense) and counts(space.build(dense))["nnz"] > 0
