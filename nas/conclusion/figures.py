"""A metric on the test split, and how far the choice of its examples moves it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from nas.metrics import METRICS, Answers
from nas.tasks.task import Task

RESAMPLES = 300
"""Number of bootstrap samples: their standard deviation is within a tenth of that of infinitely many."""
Z = 1.959964
"""Standard deviations of an interval that contains the true value 95 times in 100."""


@dataclass(frozen=True, eq=False)
class Figures:
    """A metric of several trainings of a network on the test split.

    Attributes:
        values: the metric of each training.
        resampled: their mean on each bootstrap sample of the test examples ``(RESAMPLES,)``. All networks see the same samples, so
            that the difference of two networks can be taken sample by sample (Efron 1979).
        interval: 95 % interval of the mean over test examples of the same kind.
    """

    values: tuple[float, ...]
    resampled: NDArray[np.float64]
    interval: tuple[float, float]

    @classmethod
    def of(cls, answers: Sequence[Answers], task: Task) -> "Figures":
        """Measure the answers of each training for the whole test split."""
        metric, count = METRICS.load(task.metric), len(task.test)
        values = tuple(float(metric.measure([one])) for one in answers)
        resampled = np.zeros(RESAMPLES)
        rng = np.random.default_rng(0)  # the same samples for every network
        for sample in range(RESAMPLES):
            rows = rng.integers(count, size=count)
            resampled[sample] = np.mean([float(metric.measure([_taken(one, rows)])) for one in answers])
        if task.metric == "accuracy" and task.test.y.ndim == 1:
            interval = wilson(float(np.mean(values)), count)
        else:
            low, high = np.quantile(resampled, [0.025, 0.975])
            interval = float(low), float(high)
        return cls(values, resampled, interval)

    def error_against(self, other: "Figures") -> float:
        """Standard error of the difference of both means over the test examples, which are the same for both."""
        return float(np.std(self.resampled - other.resampled, ddof=1))


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's score interval of a share of `count` examples (Wilson 1927), at 95 %: it has a width even at 0 and 1."""
    middle = share + Z**2 / (2 * count)
    half = Z * sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return max(0.0, (middle - half) / (1 + Z**2 / count)), min(1.0, (middle + half) / (1 + Z**2 / count))


def _taken(answers: Answers, rows: NDArray[np.int64]) -> Answers:
    """The answers for some examples."""
    legal = None if answers.legal is None else answers.legal[rows]
    return Answers(answers.logits[rows], answers.targets[rows], legal)
