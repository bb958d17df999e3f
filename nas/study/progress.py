"""What a search tells while it works."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of a search.

    Attributes:
        round: number of the round in work.
        trainings: trainings done, those before a resume counted.
        budget: trainings in all.
        screened: candidates built and checked in this process.
        failed: trainings that gave no accuracy.
        best: best measured validation accuracy so far; None before the first.
        best_nnz: non-zeros of that candidate.
        elapsed: seconds since this process began to search.
        left: estimated seconds to go; None before the first round.
    """

    round: int
    trainings: int
    budget: int
    screened: int
    failed: int
    best: float | None
    best_nnz: int | None
    elapsed: float
    left: float | None
