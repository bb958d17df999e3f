"""Sparse training of one network with a fixed mask."""

from collections.abc import Callable

import onnx_ir as ir

from nas.tasks.task import Split, Task
from nas.training.options import TrainingOptions, TrainingResult


def train(
    model: ir.Model, task: Task, options: TrainingOptions = TrainingOptions(), *, seed: int = 0, device: str = "cpu",
    progress: Callable[[int, float, float], None] | None = None,
) -> TrainingResult:
    """Train on the train split, measure on validation. `progress(epoch, loss, accuracy)` after every epoch."""
    raise NotImplementedError


def evaluate(model: ir.Model, task: Task, split: Split, *, device: str = "cpu") -> float:
    """The task's metric of a trained model on a split."""
    raise NotImplementedError
