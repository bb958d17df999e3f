"""How well the scores of a search ranked its candidates: the prediction before each training against what was then measured."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from nas.study.trial import Score

FEWEST = 6
"""Fewest trials of which a rank correlation says anything."""


class Forecast(Protocol):
    """The part of a trial that is read here."""

    @property
    def score(self) -> Score | None:
        """Prediction before the training."""

    @property
    def accuracy(self) -> float | None:
        """What was measured."""

    @property
    def repeat(self) -> int:
        """0 for the first training of a candidate."""


@dataclass(frozen=True)
class Agreement:
    """Rank correlations between scores and measurements.

    Attributes:
        trials: number of trials with a score, without failed ones.
        kendall, spearman: Kendall's τ-b and Spearman's ρ in [-1, 1]; None with fewer than `FEWEST` trials.
    """

    trials: int
    kendall: float | None
    spearman: float | None

    @classmethod
    def of(cls, trials: Iterable[Forecast]) -> "Agreement":
        """The agreement on first trainings: of a candidate that is trained again, the predictor knows the first result."""
        pairs = [
            (one.accuracy, one.score.mean)
            for one in trials
            if one.score is not None and one.accuracy is not None and one.repeat == 0
        ]
        if len(pairs) < FEWEST:
            return cls(len(pairs), None, None)
        from predictors import kendall, spearman

        measured, predicted = zip(*pairs, strict=True)
        return cls(len(pairs), kendall(measured, predicted), spearman(measured, predicted))

    def to_json(self) -> dict[str, float | None]:
        """As plain JSON values."""
        return {"trials": self.trials, "kendall": self.kendall, "spearman": self.spearman}

    def __str__(self) -> str:
        """In words, such as ``τ .52, ρ .67 on 9 scored trials``."""
        if self.kendall is None or self.spearman is None:
            return f"not judged yet, {self.trials} of at least {FEWEST} scored trials"
        return f"τ {_short(self.kendall)}, ρ {_short(self.spearman)} on {self.trials} scored trials"


def _short(value: float) -> str:
    """Two digits without the 0 before the point."""
    return f"{value:.2f}".replace("0.", ".", 1)
