"""Describes a task for a predictor: its sizes, the accuracies of two simple classifiers, and the relevance of its inputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.tasks.split import stratified_order
from nas.tasks.task import Split, Task
from predictors import TaskDescription

READ = 5000
"""Most training examples for the two classifiers; they are tested on at most half as many validation examples."""
DIGITS = 4
"""Digits of a relevance after the point."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Examples as a table; for sequences with an answer at every step, each step is a row.

    Attributes:
        x: float32 ``(rows, inputs)``.
        y: int64 ``(rows,)``: the right answer, or one of them.
        legal: bool ``(rows, outputs)``: answers that count as right; None if only `y` is right.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    legal: NDArray[np.bool_] | None

    def at_most(self, count: int) -> "Rows":
        """At most `count` of the rows, with classes in proportion."""
        if len(self.y) <= count:
            return self
        rows = stratified_order(self.y, np.random.default_rng(0))[:count]
        return Rows(self.x[rows], self.y[rows], None if self.legal is None else self.legal[rows])

    def share_right(self, answers: NDArray[np.int64]) -> float:
        """Share of right answers, to four digits."""
        right = answers == self.y if self.legal is None else self.legal[np.arange(len(answers)), answers]
        return round(float(right.mean()), 4)


def describe(task: Task) -> TaskDescription:
    """Five numbers, and one for each input. The two classifiers are fitted on the training split and tested on the validation split,
    which takes seconds; the relevance is that of the training split."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier

    train, held = _rows(task.train), _rows(task.validation).at_most(READ // 2)
    read = train.at_most(READ)
    neighbour = KNeighborsClassifier(1).fit(read.x, read.y).predict(held.x)
    if len(np.unique(read.y)) > 1:
        linear = RidgeClassifier().fit(read.x, read.y).predict(held.x)
    else:
        linear = neighbour
    return TaskDescription(
        samples=len(train.y),
        classes=task.signature.outputs,
        inputs=train.x.shape[1],
        one_nn=held.share_right(neighbour),
        linear_probe=held.share_right(linear),
        relevance=relevance(read.x, read.y),
    )


def relevance(x: NDArray[np.float32], y: NDArray[np.int64]) -> tuple[float, ...]:
    """Share of the variance of every input that lies between the classes (η², the correlation ratio), to four digits.

    Args:
        x: examples ``(rows, inputs)``.
        y: classes ``(rows,)``. An input that never varies has relevance 0.
    """
    _, groups, counts = np.unique(y, return_inverse=True, return_counts=True)
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    sums = np.zeros((len(counts), x.shape[1]))
    np.add.at(sums, groups, centred)
    between, total = (sums**2 / counts[:, None]).sum(axis=0), (centred**2).sum(axis=0)
    varies = total > 1e-9 * len(x)
    shares = np.where(varies, between / np.where(varies, total, 1.0), 0.0)
    return tuple(np.clip(shares, 0.0, 1.0).round(DIGITS).tolist())


def _rows(split: Split) -> Rows:
    if split.y.ndim == 1:
        return Rows(split.x.reshape(len(split), -1), split.y, None)
    real = split.y >= 0
    legal = None if split.legal is None else split.legal[real]
    return Rows(split.x.reshape(*split.y.shape, -1)[real], split.y[real], legal)
