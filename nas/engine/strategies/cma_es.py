"""CMA-ES (Hansen & Ostermeier 2001) for the numbers of a candidate; other genes come from good parents.

The distribution is computed again in every round by telling it the measured candidates in order, so that no state is stored. (Optuna's
`CmaEsSampler` keeps its state pickled in the trials; a run reads no pickles.) It covers the numbers that all measured candidates have,
such as ``mask_fill`` and ``width_1`` in a space of plain networks. Categories and numbers of single branches are inherited.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from nas.engine.pool import Pool
from nas.engine.strategies.asked_trial import AskedTrial, Param
from nas.engine.strategies.measured_fitness import measured_fitness
from nas.engine.strategies.strategy import patience
from nas.study.trial import Proposal, Trial, results_by_candidate
from search_spaces import InheritedTrial

if TYPE_CHECKING:
    import cmaes

POPULATION = 6
"""Candidates of a generation."""
SIGMA = 0.25
"""First standard deviation, in ranges of the numbers."""
WIDEST = 2**20
"""A whole number with a wider range is a seed: near ones are not alike."""
PARENTS = 0.25
"""Share of the measured candidates that others inherit from, the best ones."""
CHANGED = 0.2
"""Probability that an inherited gene is changed."""


class CMAES:
    """The numbers of a candidate from a normal distribution that adapts to the measured ones."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """See `Strategy.fill`."""
        known = {one.digest: one.proposal for one in trials if one.proposal is not None and one.proposal.params}
        population = [one for one in results_by_candidate(trials) if one.candidate.digest in known]
        proposals = [known[one.candidate.digest] for one in population]
        fitness = measured_fitness(pool, population)
        best = np.argsort(-fitness, kind="stable")[: max(1, int(PARENTS * len(population)))]
        numbers = Numbers.of([one.distributions for one in proposals])
        points = numbers.adapted([numbers.unit(one.params) for one in proposals], -fitness, int(rng.integers(2**31)))
        while len(pool) < count and pool.refused < patience(count):
            parent = dict(proposals[int(rng.choice(best))].params) if proposals else {}
            changed = {name for name in parent if rng.random() < CHANGED}
            genes = parent | ({} if points is None else numbers.params(points.ask()))
            asked = AskedTrial(InheritedTrial(genes, rng, changed - set(numbers.ranges)))
            candidate = pool.space.suggest(asked)
            pool.offer(Proposal(candidate=candidate, params=asked.params, distributions=asked.distributions))


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers that several candidates have in common, as points of the unit cube.

    Attributes:
        ranges: what each is drawn from, by name.
    """

    ranges: Mapping[str, IntDistribution | FloatDistribution]

    @classmethod
    def of(cls, several: Sequence[Mapping[str, BaseDistribution]]) -> "Numbers":
        """The numbers that all have; seeds are none. Where ranges differ, the first one counts."""
        common = set.intersection(*(set(one) for one in several)) if several else set()
        ranges = {name: range_ for name, range_ in several[0].items() if name in common} if several else {}
        return cls({name: range_ for name, range_ in ranges.items() if _is_number(range_)})  # type: ignore[misc]

    def unit(self, params: Mapping[str, Param]) -> NDArray[np.float64]:
        """The numbers of a candidate, ``(numbers,)`` in [0, 1]."""
        found = []
        for name, range_ in self.ranges.items():
            low, high, value = (_scaled(float(one), range_.log) for one in (range_.low, range_.high, params[name]))  # type: ignore[arg-type]
            found.append((value - low) / (high - low))
        return np.clip(np.array(found, np.float64), 0.0, 1.0)

    def params(self, point: NDArray[np.float64]) -> dict[str, Param]:
        """The numbers at a point ``(numbers,)`` of the unit cube."""
        found: dict[str, Param] = {}
        for (name, range_), share in zip(self.ranges.items(), point.tolist(), strict=True):
            low, high = _scaled(float(range_.low), range_.log), _scaled(float(range_.high), range_.log)
            value = float(np.exp(low + share * (high - low))) if range_.log else low + share * (high - low)
            if isinstance(range_, IntDistribution):
                found[name] = int(range_.low + range_.step * round((value - range_.low) / range_.step))
            else:
                found[name] = min(range_.high, max(range_.low, value))
        return found

    def adapted(
        self, points: Sequence[NDArray[np.float64]], losses: NDArray[np.float64], seed: int
    ) -> "cmaes.CMA | None":
        """The distribution that saw the points ``(candidates, numbers)`` in order; None with fewer than two numbers."""
        if len(self.ranges) < 2:
            return None
        import cmaes

        size = len(self.ranges)
        bounds = np.tile([0.0, 1.0], (size, 1))
        found = cmaes.CMA(np.full(size, 0.5), SIGMA, bounds=bounds, seed=seed, population_size=POPULATION)
        for start in range(0, len(points) - POPULATION + 1, POPULATION):
            generation = range(start, start + POPULATION)
            found.tell([(points[place], float(losses[place])) for place in generation])
        return found


def _is_number(range_: BaseDistribution) -> bool:
    if isinstance(range_, FloatDistribution):
        return range_.low < range_.high
    return isinstance(range_, IntDistribution) and range_.low < range_.high <= range_.low + WIDEST


def _scaled(value: float, log: bool) -> float:
    return float(np.log(value)) if log else value
