"""Gradients of the loss with respect to all weights of a trained network, those that the mask removes too."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from nas.tasks.task import Task
from nas.training.device import arithmetic, torch_device
from nas.training.inputs import with_any_batch
from nas.training.loop.session import Session
from nas.training.options import DEFAULTS
from nas.training.stack.stack import Member
from nas.training.task_fit import check_fit

EXAMPLES = 2048
"""Most training examples of which the gradient is the mean."""


def weight_gradients(
    model: ir.Model, task: Task, *, seed: int = 0, device: str = "cpu"
) -> dict[str, NDArray[np.float32]]:
    """Gradients of the mean training loss by name of the weight, in the orientation of `onnx_graph.masks`, as RigL grows by them.

    Args:
        model: a trained network for the task, without a normalisation of its own.
        task: the data.
        seed: seed of the examples that are taken, at most `EXAMPLES`.
        device: ``cpu``, or a CUDA device such as ``cuda``.

    Raises:
        UsageError: the model does not fit the task, or the device is not available.
    """
    check_fit(model, task)
    where = torch_device(device)
    with arithmetic(where, 1):
        session = Session([Member.of(with_any_batch(model), seed)], task, replace(DEFAULTS, init="keep"), where)
        found = session.gradients(*session.sample(EXAMPLES))
        return {name: gradient[0].cpu().numpy() for name, gradient in found.items()}
