"""Sparse training of one network by a mask method."""

import time
from collections.abc import Callable

import onnx_ir as ir
import torch

from nas.errors import TrainingError, UsageError
from nas.tasks.task import Split, Task
from nas.training.device import arithmetic, torch_device
from nas.training.loop.batches import examples
from nas.training.loop.history import History
from nas.training.loop.session import Session, accuracy
from nas.training.methods.method import Method, begin
from nas.training.methods.registry import create
from nas.training.options import DEFAULTS, TrainingOptions, TrainingResult
from nas.training.stack.stack import Member, Stack
from nas.training.trained import with_weights
from onnx_graph.live_units import dead_units

THREADED = 200_000_000
"""Multiply-accumulates of a batch above which a second thread gains more than the threads' waiting for each other costs."""
_EVALUATED = 256


def train(
    model: ir.Model,
    task: Task,
    options: TrainingOptions = DEFAULTS,
    *,
    method: Method | str = "static",
    density: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, float, float], None] | None = None,
) -> TrainingResult:
    """Train on the train split, measure on validation; the model is left as it is.

    Args:
        method: how mask and weights are found (see `nas.training.methods`), by name or as an object with its options.
        density: share of all maskable weights to end with, in (0, 1]; None: as many as the model has non-zeros.
        progress: called with epoch (from 0), mean training loss and validation metric after every epoch.

    Raises:
        TrainingError: the loss became infinite or not a number.
        UsageError: the model does not fit the task, the device is not available, or the method cannot do what is asked
            (`MethodError`).
        UnsupportedOperatorError: the importer cannot run a node.
    """
    started = time.perf_counter()
    check_fit(model, task)
    where = torch_device(device)
    method = create(method) if isinstance(method, str) else method
    first, keep = begin(method, model, density, seed, options)
    member = Member.of(first, seed)
    with arithmetic(where, threads_for(member.shape.cost * options.batch_size)):
        session = Session([member], task, options, where, keep=[keep], progress=progress)
        method.run(session)
        history = session.finish()[0]
    if history.error is not None:
        raise history.error
    return result_of(history, model, time.perf_counter() - started)


def evaluate(model: ir.Model, task: Task, split: Split, *, device: str = "cpu") -> float:
    """The task's metric, in [0, 1], of a trained model on a split."""
    check_fit(model, task)
    where = torch_device(device)
    member = Member.of(model, 0)
    with arithmetic(where, threads_for(member.shape.cost * _EVALUATED)):
        return accuracy(Stack([member], fresh=False, device=where), examples(split, where), _EVALUATED)[0]


def result_of(history: History, model: ir.Model, seconds: float) -> TrainingResult:
    """The result of a training that did not diverge."""
    return TrainingResult(
        accuracy=history.accuracy,
        weights=history.weights,
        losses=tuple(history.losses),
        accuracies=tuple(history.accuracies),
        dead_units=dead_units(with_weights(model, history.weights)),
        seconds=seconds,
        seed=history.seed,
        notes=history.notes,
    )


def threads_for(work: int) -> int:
    """CPU threads for a step of so many multiply-accumulates."""
    return torch.get_num_threads() if work > THREADED else 1


def check_fit(model: ir.Model, task: Task) -> None:
    """`UsageError` if the model's input or output is not the task's; `TrainingError` if there is nothing to train on."""
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
