"""What an expert would run first: good mask methods on plain networks, and small dense networks that fit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nas.engine.keep import KeepRule
from nas.measure.costs import counts
from search_spaces import Candidate, LearnedMask, SearchSpace

METHODS = ("espn", "obd", "gumbel", "gradual", "iht", "rigl")
"""Methods that a search chooses from, the most promising at few weights first (`benchmarks/masks/README.md`)."""
SCALES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.17, 0.12, 0.08, 0.05, 0.03)
"""Factors of the widths that are tried, until a dense network fits."""


def pruned(space: SearchSpace, keep: KeepRule, methods: Sequence[str]) -> list[Candidate]:
    """Every method on every plain network that has more weights than may be kept, the most promising first."""
    plain = plain_networks(space)
    found = [learned(dense, method, keep) for method in methods for dense in plain]
    return [one for one in found if one is not None]


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
    wanted = keep.drawn(dense, rng)
    if wanted is None or keep.fits(dense):
        return None
    return replace(dense, mask=LearnedMask(method=method, keep=wanted, length=length))


def plain_networks(space: SearchSpace, scale: float = 1.0) -> list[Candidate]:
    """The plain networks of a space; none if it does not say which."""
    plain = getattr(space, "plain", None)
    return [] if plain is None else list(plain(scale))


def _fits(space: SearchSpace, dense: Candidate, keep: KeepRule) -> bool:
    return keep.fits(dense) and counts(space.build(dense))["nnz"] > 0
