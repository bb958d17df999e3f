"""Regularised evolution (Real et al. 2019, arXiv:1802.01548): tournaments among the youngest, mutation and crossover.

With a predictor, the pool of a round is bred further: its fittest members by predicted accuracy become parents too.
Measured and predicted accuracies are never compared: trained parents compete with trained ones, pool members with pool
members.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.engine.pool import Pool
from nas.engine.strategies.measured_fitness import measured_fitness
from nas.engine.strategies.random_search import RandomSearch
from nas.engine.strategies.strategy import patience
from nas.study.trial import Proposal, Trial, results_by_candidate
from search_spaces import Candidate

CROSSOVER = 0.25
"""Share of children with two parents."""

FRESH = 0.5
"""Share of a pool that is drawn anew from the space, so that a search does not get stuck."""

GENERATIONS = 3
"""How often a pool is bred from its own fittest members."""


class RegularizedEvolution:
    """Evolution with an ageing population of trained candidates; tournaments choose the parents."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """See `Strategy.fill`."""
        population = results_by_candidate(trials)[-max(10, trainings // 3) :]
        if len(population) < 4:
            RandomSearch().fill(pool, trials, count, rng=rng, trainings=trainings)
            return
        fitness = measured_fitness(pool, population)
        parents = [result.candidate for result in population]
        scored = pool.scores is not None
        bred = count // (GENERATIONS + 1) if scored else count
        self._breed(pool, parents, fitness, bred, rng, fresh=FRESH)
        while scored and len(pool) < count and pool.refused < patience(count):
            parents, fitness = [m.proposal.candidate for m in pool.members], pool.fitness(optimism=0.5)
            keep = np.argsort(-fitness, kind="stable")[: max(8, len(parents) // 4)]
            self._breed(pool, [parents[i] for i in keep], fitness[keep], min(count, len(pool) + bred), rng, fresh=0.05)

    def _breed(
        self,
        pool: Pool,
        parents: Sequence[Candidate],
        fitness: NDArray[np.float64],
        count: int,
        rng: np.random.Generator,
        *,
        fresh: float,
    ) -> None:
        """Offer children until the pool holds `count` candidates."""
        limit = pool.refused + patience(count)
        while len(pool) < count and pool.refused < limit:
            if rng.random() < fresh:
                child = pool.space.sample(rng)
            else:
                child = self._child(pool, parents, fitness, rng)
            pool.offer(Proposal(candidate=child))

    def _child(
        self, pool: Pool, parents: Sequence[Candidate], fitness: NDArray[np.float64], rng: np.random.Generator
    ) -> Candidate:
        first = parents[_tournament(fitness, rng)]
        if rng.random() < CROSSOVER:
            second = parents[_tournament(fitness, rng)]
            if second.digest != first.digest:
                first = pool.space.crossover(first, second, rng)
        return pool.space.mutate(first, rng)


def _tournament(fitness: NDArray[np.float64], rng: np.random.Generator) -> int:
    """Index of the fittest among a random quarter (at least three)."""
    size = min(len(fitness), max(3, len(fitness) // 4))
    entrants = rng.choice(len(fitness), size=size, replace=False)
    return int(entrants[np.argmax(fitness[entrants])])
