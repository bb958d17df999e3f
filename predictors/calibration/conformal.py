"""The mean accuracy that a predicted score stands for: an increasing curve, learnt from left-out networks; and conformal quantiles.

The scale of targets is not linear, so the accuracy of the mean target is not the mean accuracy. Where accuracies are noisy and lie
near 1 or in two groups, the two are far apart, although they rank networks alike.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidPredictorError
from predictors.state import array

Floats = NDArray[np.float64]

IN_A_BIN, MOST_BINS = 10, 25
FEWEST = 20
"""With fewer networks than this, left-out ones are too few to learn from."""
FEWEST_BINS = 5
"""Least number of bins of a curve; with fewer, chance shapes the curve."""
FOLDS = 5
COVERAGE = 0.9
"""Share of networks that an interval should contain."""
CURVE = "curve_"
"""Prefix of the names of a curve's arrays."""


def conformal(errors: Floats) -> float:
    """The error that a new one exceeds with probability ≤ 0.1, if all errors are exchangeable (Lei et al. 2018, arXiv:1604.04173).

    Of n < 9 errors it is the largest, which a new one exceeds with probability 1 / (n + 1).
    """
    rank = min(int(np.ceil(COVERAGE * (len(errors) + 1))), len(errors))
    return float(np.sort(errors)[rank - 1])


@dataclass(frozen=True, eq=False)
class Curve:
    """A piecewise linear, increasing curve from score to accuracy.

    Attributes:
        scores: knots, float64 ``(knots,)``, increasing.
        accuracies: mean accuracy there, ``(knots,)``, increasing.
    """

    scores: Floats
    accuracies: Floats

    def __post_init__(self) -> None:
        """Refuse knots that are not in order."""
        if not len(self.scores) or (np.diff(self.scores) <= 0).any() or (np.diff(self.accuracies) <= 0).any():
            raise InvalidPredictorError("saved calibration is damaged: its knots must increase")

    @classmethod
    def of(cls, scores: Floats, accuracies: Floats) -> "Curve":
        """Fit: means of about ten networks of neighbouring scores; neighbours are pooled until the means increase (isotonic regression)."""
        order = np.argsort(scores, kind="stable")
        bins = np.array_split(order, int(np.clip(len(order) // IN_A_BIN, 1, MOST_BINS)))
        blocks: list[tuple[float, float, int]] = []
        for rows in bins:
            block = (float(scores[rows].mean()), float(accuracies[rows].mean()), len(rows))
            while blocks and (blocks[-1][1] >= block[1] or blocks[-1][0] >= block[0]):
                block = _pooled(blocks.pop(), block)
            blocks.append(block)
        return cls(np.array([block[0] for block in blocks]), np.array([block[1] for block in blocks]))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The knots, as ``curve_scores`` and ``curve_accuracies``."""
        return {f"{CURVE}{name}": np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> "Curve | None":
        """The curve among a predictor's arrays, if it has one."""
        if not any(name.startswith(CURVE) for name in arrays):
            return None
        scores = array(arrays, f"{CURVE}scores", "f", (None,)).astype(np.float64)
        return cls(scores, array(arrays, f"{CURVE}accuracies", "f", scores.shape).astype(np.float64))

    def __call__(self, scores: Floats, beyond: Callable[[Floats], Floats]) -> Floats:
        """Mean accuracies, in [0, 1]; outside the knots the curve continues parallel to `beyond`."""
        held = np.clip(scores, self.scores[0], self.scores[-1])
        inside = np.interp(held, self.scores, self.accuracies)
        return np.clip(inside + beyond(scores) - beyond(held), 0.0, 1.0)


def _pooled(first: tuple[float, float, int], second: tuple[float, float, int]) -> tuple[float, float, int]:
    count = first[2] + second[2]
    score, accuracy = ((first[place] * first[2] + second[place] * second[2]) / count for place in (0, 1))
    return score, accuracy, count
