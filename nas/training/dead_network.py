"""Networks that died in training: they give the same answer for every input."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from nas.tasks.task import Split, Task
from onnx_graph import effective_masks

EXAMPLES = 64
"""Validation examples whose outputs are compared."""
_EQUAL = 1e-6
"""Largest difference of equal outputs, relative to outputs above 1: float32 rounds a batch's rows in different orders."""


def why_dead(model: ir.Model, accuracy: float, task: Task) -> str:
    """Why a trained network gives the same answer for every example; empty if it does not.

    Args:
        model: model with its trained weights, for the inputs of `task`.
        accuracy: the task's metric on the validation split. A network that is better than the best constant answer is
            alive, and nothing is computed.
        task: task with the examples.
    """
    if accuracy > best_constant(task.validation) + 1e-9:
        return ""
    if not any(mask.any() for mask in effective_masks(model).values()):
        return "the network is dead: its mask leaves no path from the input to the output"
    from nas.importer import outputs_of  # torch takes seconds to load

    if _constant(outputs_of(model, task.validation.x[:EXAMPLES])):
        return f"the network is dead: its outputs are the same for every example, at {accuracy:.2%} on the validation split"
    return ""


def best_constant(split: Split) -> float:
    """Largest share of targets that a constant answer (one per time step) gets right."""
    if split.legal is not None:
        right = split.legal & (split.y >= 0)[..., None]
    else:
        classes = int(split.y.max(initial=0)) + 1
        right = split.y[..., None] == np.arange(classes)
    counted = int((split.y >= 0).sum())
    return float(right.sum(axis=0).max(axis=-1).sum() / max(counted, 1))


def _constant(outputs: NDArray[np.float32]) -> bool:
    scale = max(1.0, float(np.abs(outputs).max(initial=0.0)))
    return len(outputs) > 1 and bool(np.abs(outputs - outputs[:1]).max(initial=0.0) <= _EQUAL * scale)
