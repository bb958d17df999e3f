"""Describing a task to a predictor: sizes, and what a nearest neighbour and a linear reader reach."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.tasks.split import stratified_order
from nas.tasks.task import Split, Task
from predictors.task_description import TaskDescription

READ = 5000
"""Training examples that the two readers see at most; of the held-out ones half as many judge them."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Examples one below the other; of sequences with an answer at every step, the steps.

    Attributes:
        x: float32 ``(rows, inputs)``.
        y: int64 ``(rows,)``.
        right: bool ``(rows, outputs)``: which answers count as right.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    right: NDArray[np.bool_]

    def at_most(self, count: int) -> "Rows":
        """So many of the rows, classes in proportion."""
        if len(self.y) <= count:
            return self
        rows = stratified_order(self.y, np.random.default_rng(0))[:count]
        return Rows(self.x[rows], self.y[rows], self.right[rows])


def describe(task: Task) -> TaskDescription:
    """Five numbers; the readers learn from the training split and are judged on the validation split. Seconds at most."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier

    outputs = task.signature.outputs
    train, held = _rows(task.train, outputs), _rows(task.validation, outputs).at_most(READ // 2)
    read = train.at_most(READ)
    neighbour = KNeighborsClassifier(1).fit(read.x, read.y).predict(held.x)
    if len(np.unique(read.y)) > 1:
        linear = RidgeClassifier().fit(read.x, read.y).predict(held.x)
    else:
        linear = neighbour
    return TaskDescription(
        samples=len(train.y),
        classes=outputs,
        inputs=train.x.shape[1],
        one_nn=_share_right(held, neighbour),
        linear_probe=_share_right(held, linear),
    )


def _rows(split: Split, outputs: int) -> Rows:
    if split.y.ndim == 1:
        right = np.eye(outputs, dtype=bool)[split.y]
        return Rows(split.x.reshape(len(split), -1), split.y, right)
    real = split.y >= 0
    y = split.y[real]
    right = np.eye(outputs, dtype=bool)[y] if split.legal is None else split.legal[real]
    return Rows(split.x.reshape(*split.y.shape, -1)[real], y, right)


def _share_right(held: Rows, answers: NDArray[np.int64]) -> float:
    return round(float(held.right[np.arange(len(answers)), answers].mean()), 4)
