"""A short timed training on a few batches, from which the time of a whole training is estimated."""

import time
from dataclasses import dataclass, replace

import onnx_ir as ir

from nas.engine.plan import SearchPlan
from nas.tasks.task import Split, Task
from nas.training.methods.method import Method

BATCHES = 2
"""Batches of an epoch of the short training."""
EPOCHS = 20
"""Most epochs of the short training: enough for the phases of every method."""


@dataclass(frozen=True)
class Timed:
    """What a whole training takes.

    Attributes:
        cost: epochs of all phases, in trainings of the search's length.
        seconds: estimated seconds.
        took: seconds of the short training itself.
    """

    cost: float
    seconds: float
    took: float

    @property
    def speed(self) -> float:
        """Seconds of as many epochs as a plain training has."""
        return self.seconds / self.cost


def timed(search: SearchPlan, model: ir.Model, method: Method, density: float | None = None) -> Timed:
    """Train `model` for a moment on a part of the task, and scale the time to the whole one.

    Raises the errors of `nas.training.single.train`, such as a `MethodError` if the method cannot train that network.
    """
    from nas.training.single import train

    task, whole = _part(search.task, BATCHES * search.training.batch_size)
    options = replace(search.training, epochs=min(EPOCHS, search.training.epochs), patience=None)
    start = time.perf_counter()
    result = train(model, task, options, method=method, density=density, device=search.config.device)
    took = time.perf_counter() - start
    cost = len(result.losses) / options.epochs
    return Timed(round(cost, 2), took * whole * search.training.epochs / options.epochs, took)


def _part(task: Task, examples: int) -> tuple[Task, float]:
    """The task with so many training examples, and validation examples in proportion; and how much larger the whole one is."""
    examples = min(examples, len(task.train))
    larger = len(task.train) / examples
    validation = max(1, round(len(task.validation) / larger))
    return replace(task, train=_first(task.train, examples), validation=_first(task.validation, validation)), larger


def _first(split: Split, count: int) -> Split:
    legal = None if split.legal is None else split.legal[:count]
    return Split(x=split.x[:count], y=split.y[:count], legal=legal)
