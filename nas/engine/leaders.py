"""Who leads: the best results_by_candidate, the Pareto front, the winner."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.errors import RunError
from nas.study import objectives
from nas.study.trial import CandidateResult


def ranked(goals: Sequence[objectives.Objective], known: Sequence[CandidateResult]) -> list[CandidateResult]:
    """Standings, the best first: by accuracy, with several objectives the front before the rest."""
    if not known:
        return []
    order = np.array([-result.accuracy for result in known])
    if len(goals) > 1:
        order = order / 2 + objectives.fronts(_losses(goals, known))
    return [known[i] for i in np.argsort(order, kind="stable")]


def front(goals: Sequence[objectives.Objective], known: Sequence[CandidateResult]) -> list[CandidateResult]:
    """The Pareto front; with accuracy as the only objective, of accuracy against non-zeros."""
    if not known:
        return []
    if len(goals) == 1:
        goals = (*goals, objectives.Objective("nnz", "minimize"))
    on_front = objectives.non_dominated(_losses(goals, known))
    return sorted((s for s, on in zip(known, on_front, strict=True) if on), key=lambda s: -s.accuracy)


def winner(goals: Sequence[objectives.Objective], known: Sequence[CandidateResult]) -> CandidateResult:
    """The candidate to export: the most accurate; of those trained more than once where there are such.

    A candidate that was trained once can lead by luck alone, so it never beats a confirmed one.
    """
    confirmed = [result for result in known if len(result.accuracies) > 1]
    if not known:
        raise RunError("every training of the run failed; `trials.csv` says why")
    return max(confirmed or known, key=lambda result: (result.accuracy, -result.metrics["nnz"]))


def _losses(goals: Sequence[objectives.Objective], known: Sequence[CandidateResult]) -> NDArray[np.float64]:
    return objectives.losses(goals, [objectives.values(goals, s.accuracy, s.metrics) for s in known])
