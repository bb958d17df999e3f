"""The networks of a shard, which depend only on its domain and its number."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nas.corpus.domain import ALL_PATTERNS, SHARD, STRATA, Domain
from nas.errors import UsageError
from nas.seeds import derive, generator
from search_spaces import Candidate, MaskedSpace, Signature, create

AT_STRATUM = 0.5
"""Share of the networks whose density is one of `STRATA`; the densities of the others are drawn log-uniformly."""
EDITED = 0.25
MOST_EDITS = 4
FEW, MANY = 2, 5
EVERY = 10
"""Every tenth network is trained `MANY` times, the others `FEW` times."""


class Spaces:
    """The spaces of a domain, one for each range of densities, created at first use."""

    def __init__(self, domain: Domain, signature: Signature) -> None:
        """Creates no space yet."""
        self._domain, self._signature = domain, signature
        self._made: dict[tuple[float, float], MaskedSpace[Any, Any]] = {}

    def between(self, low: float, high: float) -> MaskedSpace[Any, Any]:
        """The space whose masks have densities in [low, high]."""
        if (low, high) not in self._made:
            options: Mapping[str, Any] = {
                **{"patterns": ALL_PATTERNS, "max_edits": MOST_EDITS},
                **self._domain.options,
                **{"min_density": low, "max_density": high},
            }
            space = create(self._domain.space, self._signature, **options)
            if not isinstance(space, MaskedSpace):
                raise UsageError(
                    f"space {self._domain.space!r} cannot draw masks anew for an architecture; take another"
                )
            self._made[low, high] = space
        return self._made[low, high]

    @property
    def whole(self) -> MaskedSpace[Any, Any]:
        """The space of all densities, which can build every candidate of the domain."""
        return self.between(*self._domain.densities)


def candidates(domain: Domain, shard: int, spaces: Spaces) -> list[Candidate]:
    """The networks of a shard, all different; `Domain.masks` consecutive networks share one architecture.

    A last shard with fewer networks begins with the same networks as a full one.
    """
    rng, size = generator(0, "corpus", domain.name, shard), domain.shard_size(shard)
    found: dict[str, Candidate] = {}
    while len(found) < size:
        group = {one.digest: one for one in _group(domain, spaces, rng)}
        room = size - len(found)
        found |= dict(list(group.items())[:room])
    return list(found.values())


def _group(domain: Domain, spaces: Spaces, rng: np.random.Generator) -> list[Candidate]:
    architecture = _space(domain, spaces, rng).sample(rng)
    group = [architecture]
    while len(group) < domain.masks:
        edits = int(rng.integers(1, MOST_EDITS + 1)) if rng.random() < EDITED else 0
        group.append(_space(domain, spaces, rng).remask(architecture, rng, edits=edits))
    return group


def _space(domain: Domain, spaces: Spaces, rng: np.random.Generator) -> MaskedSpace[Any, Any]:
    low, high = domain.densities
    strata = [density for density in STRATA if low <= density <= high]
    if rng.random() < AT_STRATUM and strata:
        density = float(rng.choice(strata))
        return spaces.between(density, density)
    return spaces.whole


def training_seeds(domain: Domain, shard: int, position: int, candidate: Candidate) -> tuple[int, ...]:
    """Seeds of the trainings of a network."""
    count = repeats(shard, position)
    return tuple(derive(0, "corpus", domain.name, candidate.digest, repeat) % 2**31 for repeat in range(count))


def repeats(shard: int, position: int) -> int:
    """Number of trainings of the network at that position of a shard."""
    return MANY if (shard * SHARD + position) % EVERY == 0 else FEW
