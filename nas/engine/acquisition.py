"""Chooses the members of a pool that will be trained."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.engine.pool import Pool, Screened
from nas.study.objectives import Objective, losses, main_of, values
from nas.study.trial import Score

OPTIMISM = (0.0, 0.5, 1.0, 2.0)
"""Standard deviations added to the predicted mean, in turn for each choice: greedy choices alternate with exploring ones."""


def choose(pool: Pool, count: int, *, explore: float, rng: np.random.Generator) -> list[tuple[Screened, Score | None]]:
    """`count` members (fewer if the pool is smaller), each with its score.

    A share `explore` of them is drawn at random, so that the predictor also learns from candidates with low scores.
    Without scores the first members are taken: without a predictor, a strategy proposes only what it wants trained.
    """
    scores = pool.scores
    if scores is None:
        return [(member, None) for member in pool.members[:count]]
    left = list(range(len(pool.members)))
    chosen: list[tuple[Screened, Score | None]] = []
    for slot in range(min(count, len(left))):
        place = pick(left, slot, lambda optimism: _utility(pool, optimism, rng), explore=explore, rng=rng)
        left.remove(place)
        chosen.append((pool.members[place], scores[place]))
    return chosen


def pick(
    left: Sequence[int],
    slot: int,
    utility: Callable[[float], NDArray[np.float64]],
    *,
    explore: float,
    rng: np.random.Generator,
) -> int:
    """One of the places in `left`: at random with probability `explore`, else that of the greatest utility.

    Args:
        left: places of the candidates that can be chosen.
        slot: number of the choice, which says how optimistic it is (`OPTIMISM`).
        utility: gives the utility of all candidates ``(candidates,)`` for standard deviations added to the mean.
        explore: probability of a random choice.
        rng: draws the random choices.
    """
    if rng.random() < explore:
        return int(rng.choice(left))
    return left[int(np.argmax(utility(OPTIMISM[slot % len(OPTIMISM)])[left]))]


def _utility(pool: Pool, optimism: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Utility of every member: the optimistic accuracy, or with several objectives `scalarised`.

    The weights on the ranks are random, as in ParEGO (Knowles 2006), so that the choices of a round spread along the front.
    """
    if len(pool.objectives) == 1:
        return pool.fitness(optimism)
    return scalarised(pool.objectives, pool.optimistic(optimism), [member.metrics for member in pool.members], rng)


def scalarised(
    goals: Sequence[Objective],
    upper: NDArray[np.float64],
    metrics: Sequence[Mapping[str, float]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Utility of several objectives, ``(candidates,)``: a random Chebyshev scalarisation of their ranks.

    Args:
        goals: the objectives.
        upper: optimistic predictions on the scale from 0 to 1, ``(candidates,)``.
        metrics: costs of every candidate.
        rng: draws the weights.
    """
    metric = main_of(goals)
    shares = [metric.from_share(share) for share in upper.tolist()]
    rows = [values(goals, value, known) for value, known in zip(shares, metrics, strict=True)]
    return chebyshev(losses(goals, rows), rng)


def chebyshev(table: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Utility ``(candidates,)`` of losses ``(candidates, objectives)``, less is better: the augmented Chebyshev norm of their ranks.

    The weights on the ranks are random, as in ParEGO (Knowles 2006).
    """
    ranks = table.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") / max(len(table) - 1, 1)
    weights = rng.dirichlet(np.ones(table.shape[1]))
    worst: NDArray[np.float64] = np.max(weights * ranks, axis=1) + 0.05 * ranks.sum(axis=1)
    return -worst
