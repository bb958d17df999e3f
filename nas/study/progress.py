"""Progress that a search reports during its work."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.metrics import Metric
from nas.study.agreement import Agreement
from nas.study.trial import CandidateResult
from nas.study.way import Way


@dataclass(frozen=True, kw_only=True)
class Fall:
    """A fall of the best accuracy since the last round: a leader got a worse result when it was trained again.

    Attributes:
        accuracy: mean accuracy of the former best candidate.
        trainings: number of trainings in this mean.
        same: whether the former best candidate still leads.
    """

    accuracy: float
    trainings: int
    same: bool

    @classmethod
    def between(
        cls, before: Sequence[CandidateResult], now: Sequence[CandidateResult], metric: Metric
    ) -> "Fall | None":
        """Compare the leaders before and now, both sorted best first; None if the best accuracy did not fall."""
        if not before or not now or metric.sign * now[0].accuracy >= metric.sign * before[0].accuracy:
            return None
        former = before[0]
        return cls(
            accuracy=former.accuracy,
            trainings=len(former.accuracies),
            same=former.candidate.digest == now[0].candidate.digest,
        )


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of a search.

    Attributes:
        round: number of the current round.
        trainings: finished trainings by their epochs, including those before a resume.
        budget: trainings of the whole search.
        epochs: epochs of one training.
        way: way of searching of the current round.
        proposed: number of candidates that were proposed in the current round, with those that were refused.
        screened: number of these that are new and meet the constraints.
        chosen: number of these that are trained in the round.
        again: number of earlier candidates that are trained again in the round.
        failed: number of trainings without an accuracy.
        best: best validation accuracy so far, a mean if the candidate was trained several times; None before the first training.
        best_nnz: non-zeros of the best candidate.
        best_trainings: number of trainings in the mean `best`.
        fall: the fall of `best` since the last round, or None.
        agreement: how well the scores of the run ranked its candidates; None without a predictor.
        elapsed: seconds since this process began to search.
        left: estimated seconds until the whole run ends, including the report; None before the first round.
    """

    round: int
    trainings: float
    budget: int
    epochs: int
    way: Way
    proposed: int
    screened: int
    chosen: int
    again: int = 0
    failed: int
    best: float | None
    best_nnz: int | None
    best_trainings: int = 0
    fall: Fall | None = None
    agreement: Agreement | None = None
    elapsed: float
    left: float | None
