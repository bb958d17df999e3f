"""Checks a task that another package made, before anything is trained on it."""

import numpy as np

from nas.losses import LOSSES
from nas.metrics import IGNORED, METRICS
from nas.tasks.task import Split, Task


def fault(task: object) -> str:
    """The first fault in one sentence; empty if there is none."""
    if not isinstance(task, Task):
        return f"its function must return a nas.tasks.Task, got {type(task).__name__}"
    if task.metric not in METRICS or task.loss not in LOSSES:
        known = f"the metrics {', '.join(METRICS)} and the losses {', '.join(LOSSES)}"
        return f"it names the metric {task.metric!r} and the loss {task.loss!r}, but there are {known}"
    for name in ("train", "validation", "test"):
        wrong = _fault_of_split(getattr(task, name), task)
        if wrong:
            return f"{name} {wrong}"
    if task.classes and len(task.classes) != task.signature.outputs:
        return f"it names {len(task.classes)} classes, but its networks have {task.signature.outputs} outputs"
    return ""


def _fault_of_split(split: Split, task: Task) -> str:
    if not isinstance(split, Split):
        return f"must be a nas.tasks.Split, got {type(split).__name__}"
    x, y, shape = split.x, split.y, task.signature.input_shape
    if len(x) == 0 or len(x) != len(y):
        return f"holds {len(x)} examples and {len(y)} answers; it needs as many answers as examples, one at least"
    if x.dtype != np.float32 or x.shape[1:] != shape:
        return f"holds x of type {x.dtype} and shape {x.shape}; it must be float32 of shape (N, {', '.join(map(str, shape))})"
    if not np.isfinite(x).all():
        return "holds values of x that are not finite"
    return _fault_of_answers(split, task)


def _fault_of_answers(split: Split, task: Task) -> str:
    y, outputs = split.y, task.signature.outputs
    axes = 2 if task.signature.per_step else 1
    if y.dtype != np.int64 or y.ndim != axes:
        return f"holds y of type {y.dtype} and shape {y.shape}; it must be int64 with {axes} axes"
    if y.min() < (IGNORED if axes == 2 else 0) or y.max() >= outputs:
        return f"holds answers from {y.min()} to {y.max()}; they must lie between 0 and {outputs - 1}"
    if split.legal is not None and split.legal.shape != (*y.shape, outputs):
        return f"holds legal of shape {split.legal.shape}; it must be {(*y.shape, outputs)}"
    return ""
