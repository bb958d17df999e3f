"""Short timed trainings on a few batches, from which the time of a whole training is estimated."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from nas.engine.plan import SearchPlan
from nas.tasks.task import Task
from nas.training.methods.method import Method

BATCHES = (1, 4)
"""Batches of an epoch of two short trainings, from which follow the time of a batch and the time that does not depend on the examples."""
EPOCHS = 20
"""Most epochs of a short training: enough for the phases of every method."""


@dataclass(frozen=True)
class Timed:
    """What a whole training takes.

    Attributes:
        cost: epochs of all phases, in trainings of the search's length.
        seconds: estimated seconds.
        took: seconds of the short trainings themselves.
    """

    cost: float
    seconds: float
    took: float

    @property
    def speed(self) -> float:
        """Seconds of as many epochs as a plain training has."""
        return self.seconds / self.cost


def timed(search: SearchPlan, model: ir.Model, method: Method, density: float | None = None) -> Timed:
    """Train `model` for a moment on parts of the task, and scale the time to the whole one.

    Raises the errors of `nas.training.single.train`, such as a `MethodError` if the method cannot train that network.
    """
    from nas.training.single import train

    options = replace(search.training, epochs=min(EPOCHS, search.training.epochs), patience=None)
    whole = len(search.task.train) / options.batch_size
    points: list[tuple[float, float]] = []
    cost = 1.0
    for batches in BATCHES:
        task = _part(search.task, batches * options.batch_size)
        start = time.perf_counter()
        result = train(model, task, options, method=method, density=density, device=search.config.device)
        points.append((len(task.train) / options.batch_size, time.perf_counter() - start))
        cost = len(result.losses) / options.epochs
    longer = search.training.epochs / options.epochs
    return Timed(round(cost, 2), _extended(points, whole * longer), sum(took for _, took in points))


def _extended(points: Sequence[tuple[float, float]], batches: float) -> float:
    """Seconds for so many batches, by the line through two measurements of ``(batches, seconds)``; it never falls."""
    (few, quick), (many, slow) = points
    slope = max(0.0, slow - quick) / (many - few) if many > few else 0.0
    return slow + slope * max(0.0, batches - many) if slope else slow * max(1.0, batches / many)


def _part(task: Task, examples: int) -> Task:
    """The task with so many training examples, and validation examples in proportion."""
    examples = min(examples, len(task.train))
    validation = max(1, round(len(task.validation) * examples / len(task.train)))
    return replace(task, train=task.train.first(examples), validation=task.validation.first(validation))
