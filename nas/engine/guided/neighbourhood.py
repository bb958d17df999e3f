"""Fills the pool of a space without masks: the neighbours of the best measured architectures, and fresh ones.

Neighbours of the best are most of what BANANAS gains (White et al. 2021, arXiv:1910.11858); the predictor chooses among all of them.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from nas.engine.leaders import ranked
from nas.engine.pool import Pool
from nas.engine.strategies.random_search import RandomSearch
from nas.engine.strategies.regularized_evolution import RegularizedEvolution
from nas.study.trial import Proposal, Trial, results_by_candidate
from search_spaces import Candidate, SearchSpace, SpaceError

LEADERS = 8
"""Number of the best measured architectures whose neighbours are always in the pool."""
WALKS = 32
"""Random neighbours of a leader, in a space that cannot list them all."""


def fill(pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int) -> None:
    """Offer neighbours of the leaders and `count` fresh draws; without a predictor, which chooses among them, evolve."""
    if pool.scores is None:
        RegularizedEvolution().fill(pool, trials, count, rng=rng, trainings=trainings)
        return
    for leader in ranked(pool.objectives, results_by_candidate(trials))[:LEADERS]:
        for one in _neighbours(pool.space, leader.candidate, rng):
            pool.offer(Proposal(candidate=one))
    RandomSearch().fill(pool, trials, len(pool) + count, rng=rng, trainings=trainings)


def _neighbours(space: SearchSpace, candidate: Candidate, rng: np.random.Generator) -> Iterator[Candidate]:
    """All neighbours of a candidate if the space lists them, or else some."""
    listed = getattr(space, "neighbours", None)
    if listed is not None:
        yield from listed(candidate)
        return
    for _ in range(WALKS):
        try:
            yield space.mutate(candidate, rng)
        except SpaceError:
            return
