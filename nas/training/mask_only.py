"""Only the mask of a method, without a training: for masks that are found before it."""

import onnx_ir as ir

from nas.tasks.task import Task
from nas.training.device import arithmetic, threads_for, torch_device
from nas.training.inputs import with_any_batch, without_normalisation
from nas.training.loop.session import Session
from nas.training.methods.before import Before
from nas.training.methods.method import Method, MethodError, begin
from nas.training.methods.registry import create
from nas.training.options import DEFAULTS
from nas.training.stack.stack import Member
from nas.training.task_fit import check_fit
from nas.training.trained import with_weights


def masked_model(
    model: ir.Model,
    method: Method | str,
    *,
    density: float | None,
    seed: int = 0,
    task: Task | None = None,
    device: str = "cpu",
) -> ir.Model:
    """A copy of the model with the mask that `method` finds, at the initial weights that it would train from.

    Trained with ``init`` "keep" and the method ``static``, it becomes the same model as with `nas.training.train`.

    Args:
        method: one whose mask is found before training, by name or as an object with its options.
        density: share of all maskable weights to keep; None: as many as the model has non-zeros.
        seed: seed of mask and initial weights.
        task: task with the examples by which some methods rank weights; other methods need no task.

    Raises:
        MethodError: the method finds its mask during or after a training, needs a task, or cannot leave that density.
        UsageError: the model does not fit the task, or the device is not available.
    """
    method = create(method) if isinstance(method, str) else method
    if method.kind != "before":
        raise MethodError(
            f"{type(method).__name__} finds its mask {method.kind} training; use nas.training.train, or a method whose mask "
            "is found before"
        )
    if method.needs_data and task is None:
        raise MethodError(f"{type(method).__name__} ranks weights with examples; give a task")
    bare = model
    if task is not None:
        bare, task = without_normalisation(model, task)
        check_fit(bare, task)
    where = torch_device(device)
    first, keep = begin(method, with_any_batch(bare), density, seed, DEFAULTS)
    member = Member.of(first, seed)
    with arithmetic(where, threads_for(member.shape.cost * DEFAULTS.batch_size)):
        session = Session([member], task if method.needs_data else None, DEFAULTS, where, keep=[keep])
        if isinstance(method, Before):
            method.prepare(session)
    return with_weights(model, session.stack.arrays(0))
