"""Metadata of an exported model: candidate, task, seed, accuracy, version."""

import json

import onnx_ir as ir

from nas import __version__
from nas.tasks.task import Task
from onnx_graph.internals import OFFSET, SCALE
from onnx_graph.operators import operator_of
from search_spaces import Candidate, InheritedMask


def provenance(task: Task, candidate: Candidate, accuracy: float, seed: int) -> dict[str, str]:
    """Metadata for a trained candidate; `accuracy` is the accuracy on the validation split.

    The ticket of an inherited mask is left out: it takes up to one byte a weight, and the zeros of the file tell the same.
    """
    stated = candidate.to_json()
    if isinstance(candidate.mask, InheritedMask):
        stated["mask"] = {"inherited": {"method": candidate.mask.method, "parents": list(candidate.mask.parents)}}
    return {
        "candidate": json.dumps(stated, sort_keys=True),
        "digest": candidate.digest,
        f"validation_{task.metric}": f"{accuracy:.6f}",
        "seed": str(seed),
    } | of_task(task)


def of_task(task: Task) -> dict[str, str]:
    """Metadata for any network of the task, including its inputs and outputs."""
    names = {"classes": task.classes, "features": task.features}
    return {
        "task": task.name,
        "task_fingerprint": task.fingerprint,
        **{name: json.dumps(list(values), ensure_ascii=False) for name, values in names.items() if values},
        "version": __version__,
    }


def interface(model: ir.Model, task: Task) -> dict[str, str]:
    """The inputs of an export, their preprocessing, and the meaning of the outputs."""
    return {
        "input": "raw",
        "preprocessing": f"(x - {OFFSET}) * {SCALE}" if task.normalisation is not None else "none added",
        "output": f"{_numbers(model)}, {_order(task)}",
    }


def _numbers(model: ir.Model) -> str:
    """The kind of numbers that the last node outputs."""
    node = model.graph.outputs[0].producer()
    if node is None or operator_of(node).kind != "softmax":
        return "logits"
    return "log-probabilities" if node.op_type == "LogSoftmax" else "probabilities"


def _order(task: Task) -> str:
    order = "in the order of nas.classes" if task.classes else "class i at place i"
    return f"{order}, at every step" if task.signature.per_step else order
