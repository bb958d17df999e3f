"""Sparse training of one network by a mask method."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import onnx_ir as ir
import torch

from nas.metrics import METRICS, Answers
from nas.tasks.task import Split, Task
from nas.training.dead_network import why_dead
from nas.training.device import arithmetic, threads_for, torch_device
from nas.training.inputs import with_any_batch, without_normalisation
from nas.training.loop.batches import Examples, examples
from nas.training.loop.history import History
from nas.training.loop.session import Session, measured
from nas.training.methods.method import Method, begin
from nas.training.methods.registry import create
from nas.training.options import DEFAULTS, TrainingOptions, TrainingResult
from nas.training.stack.stack import Member, Stack
from nas.training.task_fit import check_fit
from nas.training.trained import with_weights
from onnx_graph import dead_units

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
    """Train a network by a mask method on the task's train split, and measure it on the validation split.

    A model that begins with the normalisation of an earlier export gets inputs normalised by that, once.

    Args:
        model: input ``(N, *task.signature.input_shape)``, output ``(N, …, classes)``. It is not changed: `apply_result` gives
            a trained copy.
        task: the data; its test split is not read.
        options: epochs, batch size, optimiser, initial weights.
        method: method that finds mask and weights (`nas list methods`), by name or as an object with its options.
        density: share of all maskable weights to end with, in (0, 1]; None: as many as the model has non-zeros.
        seed: seed of the initial weights, the order of batches and the mask.
        device: ``cpu``, or a CUDA device such as ``cuda``.
        progress: called after every epoch with the epoch (from 0), the mean training loss and the validation metric.

    Returns:
        Weights by name, and the validation metric, in [0, 1].

    Raises:
        TrainingError: the loss became infinite or not a number.
        UsageError: the model does not fit the task, the device is not available, or the method cannot be used as requested
            (`MethodError`).
        UnsupportedOperatorError: the importer cannot run a node.
    """
    started = time.perf_counter()
    model, task = without_normalisation(model, task)
    check_fit(model, task)
    model = with_any_batch(model)
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
    return result_of(history, model, task, time.perf_counter() - started)


def evaluate(model: ir.Model, task: Task, split: Split, *, metric: str | None = None, device: str = "cpu") -> float:
    """A metric of a trained model on a split of the task, such as ``task.test``, prepared as the model wants it.

    Args:
        model: a trained network for the task.
        task: task that defines how inputs are prepared.
        split: the examples.
        metric: name of the metric; None: the task's, which is a share in [0, 1] unless the task names another one.
        device: ``cpu``, or a CUDA device such as ``cuda``.

    Raises:
        UsageError: the model does not fit the task, an unknown metric, or a device that is not available.
    """
    chosen = METRICS.load(metric or task.metric)
    with _opened(model, task, split, device) as (stack, data):
        return measured(chosen, stack, data, _EVALUATED)[0]


def answers(model: ir.Model, task: Task, split: Split, *, device: str = "cpu") -> Answers:
    """The answers of a trained model for a whole split, on the CPU; arguments and errors are those of `evaluate`."""
    with _opened(model, task, split, device) as (stack, data):
        starts = range(0, len(data), _EVALUATED)
        logits = [stack.predict(data.x[start : start + _EVALUATED]).cpu() for start in starts]
        return Answers(torch.cat(logits), data.y.cpu(), None if data.legal is None else data.legal.cpu())


@contextmanager
def _opened(model: ir.Model, task: Task, split: Split, device: str) -> Iterator[tuple[Stack, Examples]]:
    """The model and the examples, prepared as the model wants them, on the device."""
    bare, fitting = without_normalisation(model, task)
    if fitting is not task and fitting.normalisation is not None:
        split = replace(split, x=fitting.normalisation.apply(task.raw(split)))
    check_fit(bare, task)
    model = with_any_batch(bare)
    where = torch_device(device)
    member = Member.of(model, 0)
    with arithmetic(where, threads_for(member.shape.cost * _EVALUATED)):
        yield Stack([member], fresh=False, device=where), examples(split, where)


def result_of(history: History, model: ir.Model, task: Task, seconds: float) -> TrainingResult:
    """The result of a training that did not diverge."""
    trained = with_weights(model, history.weights)
    return TrainingResult(
        accuracy=history.accuracy,
        weights=history.weights,
        losses=tuple(history.losses),
        accuracies=tuple(history.accuracies),
        dead_units=dead_units(trained),
        dead=why_dead(trained, history.accuracy, task),
        seconds=seconds,
        seed=history.seed,
        notes=history.notes,
    )
