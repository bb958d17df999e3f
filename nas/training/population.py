"""Many small networks trained as one stacked batch, each as if it were alone."""

from collections.abc import Sequence

import onnx_ir as ir

from nas.tasks.task import Task
from nas.training.options import TrainingOptions, TrainingResult


def train_population(
    models: Sequence[ir.Model], task: Task, options: TrainingOptions = TrainingOptions(), *, seeds: Sequence[int], device: str = "cpu",
) -> list[TrainingResult | Exception]:
    """Train `models[i]` with `seeds[i]`; equal to `train` one by one within float tolerance. Any mix of shapes is
    accepted: networks of one shape are stacked, the others trained alone. A diverged network gives its error."""
    raise NotImplementedError
