"""The trainings of a shard of learned masks, which depend only on its domain and its number."""

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

import onnx_graph
from nas.corpus.domain import METHODS_OF_SHARD, Domain
from nas.corpus.shard_plan import Spaces
from nas.errors import UsageError
from nas.seeds import derive, generator
from search_spaces import Candidate

BUDGETS = (100, 200, 500, 1000, 2000)
"""Half of the architectures keep exactly one of these numbers of weights; the densities of the others are drawn log-uniformly."""
AT_BUDGET = 0.5
MOST_DRAWS = 50
"""Most draws for each architecture: a space may hold too few different ones."""
FEWEST = 30
"""Fewest weights that are kept: networks with fewer answer at chance, whatever the method."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """An architecture, and the number of weights that every method has to keep of it.

    Attributes:
        architecture: its candidate, dense.
        model: its untrained network.
        weights: number of its maskable weights.
        keep: number of weights to keep.
    """

    architecture: Candidate
    model: ir.Model
    weights: int
    keep: int

    @property
    def density(self) -> float:
        """Share of the weights to keep."""
        return self.keep / self.weights


def methods_of(domain: Domain, shard: int) -> list[str]:
    """The methods of a shard: all methods of the domain take turns."""
    order = generator(0, "corpus", domain.name, "methods").permutation(len(domain.methods))
    first = shard * METHODS_OF_SHARD
    return [domain.methods[order[(first + place) % len(order)]] for place in range(METHODS_OF_SHARD)]


def groups(domain: Domain, shard: int, spaces: Spaces) -> list[Group]:
    """The architectures of a shard, all different."""
    rng = generator(0, "corpus", domain.name, "learned", shard)
    found: dict[str, Group] = {}
    wanted, draws = domain.shard_size(shard) // domain.masks, 0
    while len(found) < wanted:
        draws += 1
        if draws > MOST_DRAWS * wanted:
            raise UsageError(
                f"domain {domain.name!r}: its space has too few architectures, it needs {wanted} different ones; give its options wider "
                "ranges"
            )
        architecture = spaces.whole.dense(spaces.whole.sample(rng))
        model = spaces.whole.build(architecture)
        sizes = [mask.size for mask in onnx_graph.masks(model).values()]
        keep = _kept(domain, sum(sizes), len(sizes), rng)
        group = Group(architecture=architecture, model=model, weights=sum(sizes), keep=keep)
        found.setdefault(architecture.digest, group)
    return list(found.values())


def _kept(domain: Domain, weights: int, layers: int, rng: np.random.Generator) -> int:
    low, high = domain.densities
    least = max(FEWEST, 2 * layers, math.ceil(low * weights))
    most = max(least, math.floor(high * weights))
    budgets = [budget for budget in BUDGETS if least <= budget <= most]
    drawn = round(math.exp(rng.uniform(math.log(least), math.log(most))))
    choice = int(rng.integers(len(budgets))) if budgets else 0
    return budgets[choice] if budgets and rng.random() < AT_BUDGET else drawn


def seed_of(domain: Domain, group: Group, *purpose: int | str) -> int:
    """Seed of a training of that architecture for a purpose, such as a method's name and the number of the run."""
    return derive(0, "corpus", domain.name, group.architecture.digest, group.keep, *purpose) % 2**31
