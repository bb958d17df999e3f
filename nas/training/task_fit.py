"""Check that a model's input and output fit a task."""

import onnx_ir as ir

from nas.errors import TrainingError, UsageError
from nas.tasks.task import Task


def check_fit(model: ir.Model, task: Task) -> None:
    """Raise `UsageError` if the model's input or output does not fit the task, `TrainingError` if there is nothing to train on."""
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    signature = task.signature
    _check_shape("input", inputs[0], slice(1, None), signature.input_shape, task.name)
    _check_shape("output", model.graph.outputs[0], slice(-1, None), (signature.outputs,), task.name)
    if len(task.train) == 0 or len(task.validation) == 0:
        raise TrainingError(f"task {task.name!r} has no training or no validation examples")


def _check_shape(what: str, value: ir.Value, axes: slice, wanted: tuple[int, ...], task: str) -> None:
    """Compare the known dimensions of these axes."""
    if value.shape is None:
        return
    found = list(value.shape)[axes]
    if len(found) != len(wanted) or any(
        isinstance(dim, int) and dim != want for dim, want in zip(found, wanted, strict=True)
    ):
        raise UsageError(
            f"the model's {what} {value.name!r} has shape {value.shape}, task {task!r} needs (N, …, {', '.join(map(str, wanted))})"
        )
