"""The leaders of a search, its Pareto front and its winner."""

from collections.abc import Mapping, Sequence
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from nas.errors import RunError
from nas.study import objectives
from nas.study.constraints import Constraint, on_metrics
from nas.study.trial import CandidateResult, Trial, results_by_candidate
from search_spaces import MaskRecipe

CLEARLY_SMALLER = 0.9
"""Share of the non-zeros of the best network that a smaller one has at most, if it is taken in its place. A smaller saving is not worth
what is expected of the better one, however little that is."""


def ranked(goals: Sequence[objectives.Objective], known: Sequence[CandidateResult]) -> list[CandidateResult]:
    """Results, the best first: by what they are expected to reach; with several objectives the front comes first."""
    if not known:
        return []
    metric = objectives.main_of(goals)
    order = np.array([-metric.to_share(mean(result.expected)) for result in known])
    if len(goals) > 1:
        order = order / 2 + objectives.fronts(_losses(goals, known))
    return [known[i] for i in np.argsort(order, kind="stable")]


def front(goals: Sequence[objectives.Objective], known: Sequence[CandidateResult]) -> list[CandidateResult]:
    """The Pareto front; with one objective, it is the front of the metric against non-zeros."""
    if not known:
        return []
    if len(goals) == 1:
        goals = (*goals, objectives.Objective("nnz", "minimize"))
    on_front = objectives.non_dominated(_losses(goals, known))
    sign = objectives.main_of(goals).sign
    return sorted((s for s, on in zip(known, on_front, strict=True) if on), key=lambda s: -sign * s.accuracy)


def winner(
    goals: Sequence[objectives.Objective],
    known: Sequence[CandidateResult],
    *,
    tried: Sequence[Trial] = (),
    alike: float = 0.0,
) -> CandidateResult:
    """The candidate to export: the most accurate one, among those trained more than once if there are any.

    A drawn mask that was trained once may lead only by luck, so it never beats one that was trained again. Where masks were learned or
    inherited, the networks themselves are compared, as the winner is kept as it was found: that one of which most is expected,
    or the smallest of those that are clearly smaller and of which not less is expected by more than `alike`.
    """
    confirmed = [result for result in known if len(result.accuracies) > 1]
    if not known and any(not trial.failed for trial in tried):
        raise RunError("no trained network meets the constraints on metrics; `trials.csv` has what was measured")
    if not known:
        raise RunError("every training of the run failed; `trials.csv` says why")
    sign = objectives.main_of(goals).sign
    if any(not isinstance(result.candidate.mask, MaskRecipe) for result in known):
        best = {result.number: max(sign * one for one in result.expected) for result in known}
        first = max(known, key=lambda result: (best[result.number], -result.metrics["nnz"]))
        near = [result for result in known if best[result.number] >= best[first.number] - alike]
        smaller = [result for result in near if result.metrics["nnz"] <= CLEARLY_SMALLER * first.metrics["nnz"]]
        return min(smaller or [first], key=lambda result: (result.metrics["nnz"], -best[result.number]))
    return max(confirmed or known, key=lambda result: (sign * result.accuracy, -result.metrics["nnz"]))


def best_by_hand(
    goals: Sequence[objectives.Objective],
    bounds: Sequence[Constraint],
    trials: Sequence[Trial],
    expected: Mapping[int, float],
) -> CandidateResult | None:
    """The best of what an expert would run first: the references of a guided search; None if the search made none.

    Later trainings of a reference do not count. `expected` is as in `results_by_candidate`.
    """
    first = [trial for trial in trials if trial.way == "reference" and trial.repeat == 0]
    found = ranked(goals, feasible(goals, bounds, results_by_candidate(first, expected)))
    return found[0] if found else None


def feasible(
    goals: Sequence[objectives.Objective], bounds: Sequence[Constraint], known: Sequence[CandidateResult]
) -> list[CandidateResult]:
    """The candidates whose measured metrics meet the constraints; costs were checked before the training."""
    main, measured = objectives.main_of(goals).name, on_metrics(bounds)
    return [
        result
        for result in known
        if all(bound.excess({**result.metrics, main: result.accuracy}) <= 0 for bound in measured)
    ]


def _losses(goals: Sequence[objectives.Objective], known: Sequence[CandidateResult]) -> NDArray[np.float64]:
    return objectives.losses(goals, [objectives.values(goals, s.accuracy, s.metrics) for s in known])
