"""What a search tells while it works."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.metrics import Metric
from nas.study.trial import CandidateResult


@dataclass(frozen=True, kw_only=True)
class Fall:
    """Why the best accuracy is worse than it was one round ago: a leader did worse when it was trained again.

    Attributes:
        accuracy: mean of the former best.
        trainings: how many trainings that was the mean of.
        same: whether that candidate still leads.
    """

    accuracy: float
    trainings: int
    same: bool

    @classmethod
    def between(
        cls, before: Sequence[CandidateResult], now: Sequence[CandidateResult], metric: Metric
    ) -> "Fall | None":
        """Compare the leaders of two moments, both lists the best first; None where the best did not fall."""
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
        round: number of the round in work.
        trainings: trainings done, those before a resume counted.
        budget: trainings in all.
        screened: candidates built and checked in this process.
        failed: trainings that gave no accuracy.
        best: best measured validation accuracy so far, a mean where the candidate was trained several times; None before the first.
        best_nnz: non-zeros of that candidate.
        best_trainings: how many trainings `best` is the mean of.
        fall: set where `best` is worse than one round ago.
        elapsed: seconds since this process began to search.
        left: estimated seconds until the whole run ends, report included; None before the first round.
    """

    round: int
    trainings: int
    budget: int
    screened: int
    failed: int
    best: float | None
    best_nnz: int | None
    best_trainings: int = 0
    fall: Fall | None = None
    elapsed: float
    left: float | None
