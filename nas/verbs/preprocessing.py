"""Decides the inputs of a model file: raw examples, which it normalises itself, or examples that the task has normalised.

A network that was trained on one kind gives much worse results on the other, and an ONNX file does not state the kind.
Three sources decide it: exports of this package take raw inputs; users may state it; and if a training starts from the
weights in the file, their accuracy on the validation split shows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import onnx_ir as ir

import onnx_graph
from nas.errors import UsageError
from nas.tasks.task import Normalisation, Task
from onnx_graph.internals import initializer_of
from onnx_graph.operators import operator_of

Preprocessing = Literal["auto", "model", "task"]
Taken = Literal["model", "task"]

INPUT = "nas.input"
"""Metadata key of an export for its inputs."""
RAW = "raw"

_ARITHMETIC = frozenset({"add", "mul"})
"""Kinds of operators in a normalisation."""


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """A model and a task that fit each other.

    Attributes:
        model: model without the normalisation of our own exports; it takes the inputs of `task`.
        task: task with its inputs normalised for the model, or raw.
        taken: ``model``: the file takes raw inputs and prepares them itself; ``task``: it takes normalised ones.
        remark: the decision and its reason, one line for people; empty if there was nothing to decide.
    """

    model: ir.Model
    task: Task
    taken: Taken
    remark: str = ""


def adapt(
    model: ir.Model, task: Task, preprocessing: Preprocessing = "auto", *, pretrained: bool, device: str = "cpu"
) -> Adapted:
    """Adapt a model and a task to each other, so that the inputs are normalised exactly once.

    Args:
        model: model that was read from its file.
        task: task with its own normalisation.
        preprocessing: ``model``: the file takes raw inputs; ``task``: it takes inputs normalised by the task; ``auto``:
            our own exports take raw inputs; for other `pretrained` files, both are tried on the validation split and
            the better one is used; for all other files it is ``task``.
        pretrained: whether the training starts from the weights in the file.
        device: device for trying both.

    Raises:
        UsageError: ``task`` for an export of ours, whose inputs would be normalised twice.
    """
    split = onnx_graph.split_normalisation(model)
    if split is not None:
        return _own_export(split, task, preprocessing, pretrained=pretrained)
    if task.normalisation is None:
        return Adapted(model=model, task=task, taken="model" if preprocessing == "model" else "task")
    if preprocessing == "model":
        return Adapted(model=model, task=task.normalised_by(None), taken="model", remark=f"{_RAW_INPUTS}, as asked")
    if preprocessing == "task":
        return Adapted(model=model, task=task, taken="task", remark=f"{_NORMALISED}, as asked")
    if model.metadata_props.get(INPUT) == RAW:
        remark = f"{_RAW_INPUTS}: the file says that it takes them"
        return Adapted(model=model, task=task.normalised_by(None), taken="model", remark=remark)
    return _tried(model, task, device) if pretrained else _assumed(model, task)


_RAW_INPUTS = "the model gets raw inputs"
_NORMALISED = "the model gets inputs normalised by the task"


def _own_export(split: onnx_graph.Separated, task: Task, preprocessing: Preprocessing, *, pretrained: bool) -> Adapted:
    """Removes the normalisation from the model; an export will add it again."""
    if preprocessing == "task":
        raise UsageError(
            "the model normalises its inputs itself, so that --preprocessing task would normalise them twice; use model"
        )
    own = Normalisation(split.offset, split.scale)
    same = own.same_as(task.normalisation)
    remark = f"{_RAW_INPUTS}: it begins with the normalisation of an earlier export"
    if same or not pretrained:
        remark += "" if same else f"; new weights are trained with that of {task.name}, which has other numbers"
        return Adapted(model=split.model, task=task, taken="model", remark=remark)
    remark += f", which is kept; that of {task.name} has other numbers"
    return Adapted(model=split.model, task=task.normalised_by(own), taken="model", remark=remark)


def _tried(model: ir.Model, task: Task, device: str) -> Adapted:
    """Tries raw and normalised inputs, and takes those with the better validation result of the file's weights."""
    from nas.training.single import evaluate

    split = task.validation
    normalised = evaluate(model, task, split, device=device)
    raw = evaluate(model, task, replace(split, x=task.raw(split)), device=device)
    taken: Taken = "model" if raw > normalised else "task"
    reached = (
        f"with raw inputs its weights reach {raw:.2%} on the validation split, normalised by the task {normalised:.2%}"
    )
    remark = f"{_RAW_INPUTS if taken == 'model' else _NORMALISED}: {reached} (--preprocessing overrides)"
    if max(raw, normalised) <= 1.5 * _guessing(task):
        remark += "; neither is far from guessing: if it was trained on inputs prepared in another way, put that into the file"
    chosen = task.normalised_by(None) if taken == "model" else task
    return Adapted(model=model, task=chosen, taken=taken, remark=remark)


def _assumed(model: ir.Model, task: Task) -> Adapted:
    """Takes normalised inputs, with a remark if the model seems to normalise its inputs itself."""
    operators = list(_prepares(model))
    if not operators:
        return Adapted(model=model, task=task, taken="task")
    remark = (
        f"{_NORMALISED}, and then computes {', '.join(operators)} on them; if that is its own preprocessing of raw inputs, "
        "use --preprocessing model"
    )
    return Adapted(model=model, task=task, taken="task", remark=remark)


def _prepares(model: ir.Model) -> Iterator[str]:
    """Operators at the start of the graph that combine the input with constants."""
    value = next((value for value in model.graph.inputs if not value.is_initializer()), None)
    while value is not None:
        readers = {usage.node for usage in value.uses()}
        node = readers.pop() if len(readers) == 1 else None
        if node is None or operator_of(node).kind not in _ARITHMETIC or len(node.inputs) != 2:
            return
        other = node.inputs[1] if node.inputs[0] is value else node.inputs[0]
        if initializer_of(other) is None:
            return
        yield node.op_type
        value = node.outputs[0]


def _guessing(task: Task) -> float:
    """Share of the most frequent class; 0 if there is an answer at every step."""
    y = task.validation.y
    return float(np.bincount(y).max() / len(y)) if y.ndim == 1 and len(y) else 0.0
