"""Fitness of trained candidates by their measurements; predictions never enter it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.engine.pool import Pool
from nas.study.objectives import fronts, losses, main_of, values
from nas.study.trial import CandidateResult


def measured_fitness(pool: Pool, population: Sequence[CandidateResult]) -> NDArray[np.float64]:
    """Fitness ``(candidates,)``: the accuracy, or minus the non-dominated rank, with ties ordered by accuracy."""
    metric = main_of(pool.objectives)
    accuracies = np.array([metric.to_share(result.accuracy) for result in population])
    if len(pool.objectives) == 1:
        return accuracies
    rows = [values(pool.objectives, s.accuracy, s.metrics) for s in population]
    return np.asarray(-fronts(losses(pool.objectives, rows)) + 0.5 * accuracies, np.float64)
