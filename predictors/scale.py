"""A scale of targets that follows the ranks of the accuracies: normal scores, invertible, extended beyond what was measured.

On it the networks of one task are spread evenly whatever the range of their accuracies, which is what a ranking needs
(rank-based inverse normal transformation). For networks of several tasks, whose ranks mean different things, there is
`predictors.target` alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from predictors.errors import InvalidPredictorError
from predictors.target import HIGHEST, LOWEST

Floats = NDArray[np.float64]

MOST_KNOTS = 256


@dataclass(frozen=True, eq=False)
class RankScale:
    """A monotone piecewise linear map from targets of `predictors.target` to normal scores.

    Attributes:
        targets: knots, float64 ``(knots,)``, increasing.
        scores: their normal scores, ``(knots,)``, increasing.
        slope: scores a unit of target beyond the outermost knots, > 0.
    """

    targets: Floats
    scores: Floats
    slope: float

    def __post_init__(self) -> None:
        """Refuse knots that are not in order."""
        ordered = bool((np.diff(self.targets) > 0).all() and (np.diff(self.scores) > 0).all())
        if (
            self.targets.shape != self.scores.shape
            or not len(self.targets)
            or not ordered
            or not 1e-9 < self.slope < 1e9
        ):
            raise InvalidPredictorError("saved scale is damaged: its knots must increase")

    @classmethod
    def of(cls, targets: Floats) -> "RankScale":
        """The scale of these targets; equal ones share their mean rank."""
        from scipy.stats import rankdata  # slow to import, and not needed to predict

        knots, first = np.unique(targets, return_index=True)
        scores = ndtri((rankdata(targets) - 0.5) / len(targets))[first]
        if len(knots) > MOST_KNOTS:
            kept = np.unique(np.linspace(0, len(knots) - 1, MOST_KNOTS).round().astype(np.int64))
            knots, scores = knots[kept], scores[kept]
        spread = float(targets.std())
        return cls(knots, scores, 1.0 / spread if spread > 1e-6 else 1.0)

    def forward(self, targets: Floats) -> Floats:
        """Targets as scores."""
        return _extended(targets, self.targets, self.scores, self.slope)

    def backward(self, scores: Floats) -> Floats:
        """Scores as targets, held to those of accuracies in [0, 1]."""
        return np.clip(_extended(scores, self.scores, self.targets, 1.0 / self.slope), LOWEST, HIGHEST)


def _extended(values: Floats, places: Floats, heights: Floats, slope: float) -> Floats:
    inside = np.interp(values, places, heights)
    below, above = np.minimum(values - places[0], 0.0), np.maximum(values - places[-1], 0.0)
    return np.asarray(inside + slope * (below + above))
