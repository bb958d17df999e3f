"""Sparse training of one network by a mask method."""

import time
from collections.abc import Callable
from dataclasses import replace

import onnx_ir as ir
import torch

from nas.tasks.task import Split, Task
from nas.training.batches import examples
from nas.training.course import Course
from nas.training.device import arithmetic, torch_device
from nas.training.inputs import check_fit, with_any_batch, without_normalisation
from nas.training.methods.method import Method, begin
from nas.training.methods.registry import create
from nas.training.options import DEFAULTS, TrainingOptions, TrainingResult
from nas.training.session import Session, accuracy
from nas.training.stack import Member, Stack
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

    A model that begins with the normalisation of an earlier export gets inputs normalised by that, once.

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
        course = session.finish()[0]
    if course.error is not None:
        raise course.error
    return result_of(course, model, time.perf_counter() - started)


def evaluate(model: ir.Model, task: Task, split: Split, *, device: str = "cpu") -> float:
    """The task's metric, in [0, 1], of a trained model on a split of the task, prepared as the model wants it."""
    bare, fitting = without_normalisation(model, task)
    if fitting is not task and fitting.normalisation is not None:
        split = replace(split, x=fitting.normalisation.apply(task.raw(split)))
    check_fit(bare, task)
    model = with_any_batch(bare)
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
        dead_units=dead_units(with_weights(model, course.weights)),
        seconds=seconds,
        seed=course.seed,
        notes=course.notes,
    )


def threads_for(work: int) -> int:
    """CPU threads for a step of so many multiply-accumulates."""
    return torch.get_num_threads() if work > THREADED else 1
