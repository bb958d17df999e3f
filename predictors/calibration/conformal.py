"""The accuracy that a predicted score means on average: increasing, learnt from networks that were left out.

A median on a bent scale is no mean: where accuracies are noisy and lie near 1 or in two heaps, a score taken back through the
scale is far from the average of what is measured there, though it ranks as well.
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
"""Networks below which those that were left out are too few to tell anything."""
FEWEST_BINS = 5
"""Of a curve that does more good than harm: with fewer, chance bends it."""
FOLDS = 5
COVERAGE = 0.9
"""Share of networks that a stated interval shall hold."""
CURVE = "curve_"
"""Before the names of a curve's arrays."""


def folds(count: int, seed: int) -> NDArray[np.int64]:
    """The fold of every network, as many in each as can be; those of a fold are left out together."""
    return np.random.default_rng(seed).permutation(count) % min(FOLDS, count)


def conformal(errors: Floats) -> float:
    """The error that the next one exceeds once in ten times at most, if all are of one kind (Lei et al. 2018, arXiv:1604.04173).

    Of fewer than nine errors it is the largest, which one in so many and one exceeds.
    """
    rank = min(int(np.ceil(COVERAGE * (len(errors) + 1))), len(errors))
    return float(np.sort(errors)[rank - 1])


@dataclass(frozen=True, eq=False)
class Curve:
    """Piecewise linear and increasing.

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
        """Means of about ten networks of neighbouring scores, neighbours pooled until they increase (isotonic regression)."""
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
        """Mean accuracies, in [0, 1]; outside the knots they go on as `beyond` does."""
        held = np.clip(scores, self.scores[0], self.scores[-1])
        inside = np.interp(held, self.scores, self.accuracies)
        return np.clip(inside + beyond(scores) - beyond(held), 0.0, 1.0)


def _pooled(first: tuple[float, float, int], second: tuple[float, float, int]) -> tuple[float, float, int]:
    count = first[2] + second[2]
    score, accuracy = ((first[place] * first[2] + second[place] * second[2]) / count for place in (0, 1))
    return score, accuracy, count
