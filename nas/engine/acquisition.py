"""Which members of a pool are worth a real training."""

import numpy as np
from numpy.typing import NDArray

from nas.engine.pool import Pool, Screened
from nas.study.objectives import losses, main_of, values
from nas.study.trial import Score

OPTIMISM = (0.0, 0.5, 1.0, 2.0)
"""How many standard deviations are added to the predicted mean, slot after slot: greedy picks beside curious ones."""


def choose(pool: Pool, count: int, *, explore: float, rng: np.random.Generator) -> list[tuple[Screened, Score | None]]:
    """`count` members (fewer where the pool is smaller), each with its score.

    A share `explore` of them is drawn at random, so that the predictor is also taught what it does not believe in.
    Without scores the first ones are taken: a strategy without a predictor proposes what it wants trained.
    """
    scores = pool.scores
    if scores is None:
        return [(member, None) for member in pool.members[:count]]
    left = list(range(len(pool.members)))
    chosen: list[tuple[Screened, Score | None]] = []
    for slot in range(min(count, len(left))):
        if rng.random() < explore:
            pick = int(rng.choice(left))
        else:
            pick = left[int(np.argmax(_utility(pool, OPTIMISM[slot % len(OPTIMISM)], rng)[left]))]
        left.remove(pick)
        chosen.append((pool.members[pick], scores[pick]))
    return chosen


def _utility(pool: Pool, optimism: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Utility of every member: the optimistic accuracy, or with several objectives a random Chebyshev scalarisation.

    Random weights on ranks, as in ParEGO (Knowles 2006), so that the slots of a round spread along the front.
    """
    if len(pool.objectives) == 1:
        return pool.fitness(optimism)
    metric = main_of(pool.objectives)
    upper = [metric.from_share(share) for share in pool.optimistic(optimism).tolist()]
    rows = [values(pool.objectives, value, member.metrics) for value, member in zip(upper, pool.members, strict=True)]
    table = losses(pool.objectives, rows)
    ranks = table.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") / max(len(table) - 1, 1)
    weights = rng.dirichlet(np.ones(table.shape[1]))
    worst: NDArray[np.float64] = np.max(weights * ranks, axis=1) + 0.05 * ranks.sum(axis=1)
    return -worst
