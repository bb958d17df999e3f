"""Local search (White et al. 2021, arXiv:2005.02960): neighbours of the best candidate, from a new start when it is stuck.

Where the paper measures all neighbours, a round measures some of them: those that the predictor expects most of, if there is one. The
first better one becomes the centre.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.engine.pool import Pool
from nas.engine.strategies.measured_fitness import measured_fitness
from nas.engine.strategies.random_search import RandomSearch
from nas.engine.strategies.strategy import patience
from nas.study.trial import Proposal, Trial, results_by_candidate

START = 4
"""Candidates drawn from the space at a start; the best of them is the first centre."""
STUCK = 6
"""A search that measured a part of its trainings in so many without a better candidate is stuck, but at least `START` candidates."""


class LocalSearch:
    """One mutation from the best candidate since the last start."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """See `Strategy.fill`."""
        population = results_by_candidate(trials)
        best = centre(measured_fitness(pool, population), max(START, trainings // STUCK))
        if best is not None:
            while (
                len(pool) < count and pool.refused < patience(count) // 2
            ):  # the rest is for a space without new neighbours
                pool.offer(Proposal(candidate=pool.space.mutate(population[best].candidate, rng)))
        RandomSearch().fill(pool, trials, count, rng=rng, trainings=trainings)


def centre(fitness: NDArray[np.float64], limit: int) -> int | None:
    """Place of the best candidate since the last start; None if a start has to be drawn.

    Args:
        fitness: of all measured candidates, in order of measurement.
        limit: candidates without a better one after which the search starts anew.
    """
    start = best = 0
    for place in range(1, len(fitness)):
        if place - best > limit and place - start >= START:
            start = best = place
        elif fitness[place] > fitness[best]:
            best = place
    stuck = len(fitness) - best > limit
    return None if stuck or len(fitness) - start < START else best
