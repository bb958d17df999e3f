"""Sparse training of one network with a fixed mask."""

import time
from collections.abc import Callable

import onnx_ir as ir
import torch

from nas.errors import TrainingError, UsageError
from nas.tasks.task import Split, Task
from nas.training.batches import examples
from nas.training.device import arithmetic, torch_device
from nas.training.loop import Course, Loop, accuracy
from nas.training.options import TrainingOptions, TrainingResult
from nas.training.stack import Member, Stack
from onnx_graph.liveness import dead_units

THREADED = 200_000_000
"""Multiply-accumulates of a batch above which a second thread gains more than the threads' waiting for each other costs."""
_EVALUATED = 256


def train(
    model: ir.Model,
    task: Task,
    options: TrainingOptions = TrainingOptions(),
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, float, float], None] | None = None,
) -> TrainingResult:
    """Train on the train split, measure on validation; the model is left as it is.

    Args:
        progress: called with epoch (from 0), mean training loss and validation metric after every epoch.

    Raises:
        TrainingError: the loss became infinite or not a number.
        UsageError: the model does not fit the task, or the device is not available.
        UnsupportedOperatorError: the importer cannot run a node.
    """
    begin = time.perf_counter()
    check_fit(model, task)
    where = torch_device(device)
    member = Member.of(model, seed)
    with arithmetic(where, threads_for(member.shape.cost * options.batch_size)):
        course = Loop([member], task, options, where).run(progress)[0]
    if course.error is not None:
        raise course.error
    return result_of(course, model, time.perf_counter() - begin)


def evaluate(model: ir.Model, task: Task, split: Split, *, device: str = "cpu") -> float:
    """The task's metric, in [0, 1], of a trained model on a split."""
    check_fit(model, task)
    where = torch_device(device)
    member = Member.of(model, 0)
    with arithmetic(where, threads_for(member.shape.cost * _EVALUATED)):
        return accuracy(Stack([member], fresh=False, device=where), examples(split, where), _EVALUATED)[0]


def result_of(course: Course, model: ir.Model, seconds: float) -> TrainingResult:
    """The result of a training that did not diverge."""
    return TrainingResult(
        accuracy=course.accuracy,
        weights=course.weights,
        losses=tuple(course.losses),
        accuracies=tuple(course.accuracies),
        dead_units=dead_units(model),
        seconds=seconds,
        seed=course.seed,
    )


def threads_for(work: int) -> int:
    """CPU threads for a step of so many multiply-accumulates."""
    return torch.get_num_threads() if work > THREADED else 1


def check_fit(model: ir.Model, task: Task) -> None:
    """`UsageError` if the model's input or output is not the task's; `TrainingError` if there is nothing to train on."""
    signature = task.signature
    wanted = (*signature.input_shape,)
    for value, shape, what in (
        (model.graph.inputs[0], wanted, "input"),
        (model.graph.outputs[0], (signature.outputs,), "output"),
    ):
        if value.shape is None:
            continue
        found = list(value.shape)[1:] if what == "input" else list(value.shape)[-1:]
        if len(found) != len(shape) or any(
            isinstance(dim, int) and dim != want for dim, want in zip(found, shape, strict=True)
        ):
            raise UsageError(
                f"the model's {what} {value.name!r} has shape {value.shape}, task {task.name!r} needs (N, …, {shape})"
            )
    if len(task.train) == 0 or len(task.validation) == 0:
        raise TrainingError(f"task {task.name!r} has no training or no validation examples")
