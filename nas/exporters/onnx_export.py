"""Export of a trained network: dead units removed, compared with the trained weights in onnxruntime, then written."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from nas.errors import ExportError
from nas.exporters.provenance import interface, of_task, provenance
from nas.exporters.registry import format_of
from nas.measure.costs.latency import latency
from nas.measure.runtime import Runtime
from nas.tasks.task import Task
from nas.training.inputs import with_any_batch, without_normalisation
from search_spaces import Candidate

TOLERANCE = 1e-4
"""Largest difference between the exported model's outputs and the trained network's, relative to outputs above 1."""

EXAMPLES = 256
"""Most validation examples on which the exported and the trained network are compared."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An exported model.

    Attributes:
        path: path of the file.
        bytes: size of the file.
        latency: median milliseconds of one example in onnxruntime on one CPU thread.
        largest_error: largest difference between outputs of file and trained network, divided by max(1, |output|).
        nnz: number of non-zero weights.
        weights: number of weights in the file, including zeros.
    """

    path: Path
    bytes: int
    latency: float
    largest_error: float
    nnz: int
    weights: int

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"path": str(self.path)}


def export(
    model: ir.Model,
    path: Path | str,
    *,
    task: Task,
    origin: Mapping[str, str] | None = None,
    keep_dead_units: bool = False,
) -> Exported:
    """Write a trained model as a small ONNX file that takes the task's raw inputs, and check the file in onnxruntime.

    Dead units are removed, and the task's normalisation becomes part of the graph. Then the outputs of the file and of the trained
    network are compared on up to `EXAMPLES` validation examples.

    Args:
        model: trained network from `apply_result`; it is not changed. If it begins with a normalisation of ours, it keeps it.
        path: file to write; its name selects the format. Nothing is written if the check fails.
        task: task with the normalisation to build in and the examples for the check.
        origin: texts by name for the file's metadata; None means the facts about the task.
        keep_dead_units: whether to keep them, for masks whose groups of inputs (N:M) may not change.

    Returns:
        Facts about the written file: path, bytes, milliseconds, non-zero weights, largest error.

    Raises:
        ExportError: an output differs from the trained network's by more than `TOLERANCE`, or onnxruntime refuses the model.
        OSError: the file cannot be written.
    """
    from nas.importer import outputs_of  # torch takes seconds to load

    path, origin = Path(path), of_task(task) if origin is None else origin
    model, task = without_normalisation(model, task)
    model = with_any_batch(model)
    shrunk = _finished(model, task, keep_dead_units=keep_dead_units)
    x = task.validation.x[:EXAMPLES]
    exported = run(shrunk, raw_inputs(task, x))
    difference = largest_error(outputs_of(model, x), exported)
    if not difference <= TOLERANCE:  # written with `not` so that NaN is refused too
        raise ExportError(
            f"the exported model differs from the trained one by {difference:.2g} (at most {TOLERANCE:g} is allowed); nothing was written"
        )
    count = onnx_graph.count(shrunk)
    said = {**origin, **interface(shrunk, task), "largest_error": f"{difference:.1e}"}
    shrunk.metadata_props.update({f"nas.{name}": value for name, value in said.items()})
    written = format_of(path).write(shrunk, path, raw_inputs(task, x))
    return Exported(
        path=path,
        bytes=written,
        latency=latency(shrunk),
        largest_error=difference,
        nnz=count.nnz,
        weights=count.weights,
    )


def export_untrained(model: ir.Model, path: Path, *, task: Task, origin: Mapping[str, str]) -> Exported:
    """Write a network with untrained weights; its metadata say so. Nothing is compared, since nothing was trained.

    Raises:
        ExportError: onnxruntime refuses the model.
        OSError: the file cannot be written.
    """
    finished = _finished(model, task)
    said = {**origin, **interface(finished, task), "weights": "untrained"}
    finished.metadata_props.update({f"nas.{name}": value for name, value in said.items()})
    count, milliseconds = onnx_graph.count(finished), latency(finished)
    written = format_of(path).write(finished, path, np.zeros((1, *task.signature.input_shape), np.float32))
    return Exported(
        path=path, bytes=written, latency=milliseconds, largest_error=0.0, nnz=count.nnz, weights=count.weights
    )


def as_exported(model: ir.Model, task: Task, candidate: Candidate, *, keep_dead_units: bool = False) -> ir.Model:
    """The untrained network in its exported form with metadata, for measuring ``bytes`` and ``latency``."""
    finished = _finished(model, task, keep_dead_units=keep_dead_units)
    draft = provenance(task, candidate, 0.0, 2**31 - 1)
    draft |= interface(finished, task) | {f"test_{task.metric}": f"{0.0:.6f}", "largest_error": f"{0.0:.1e}"}
    finished.metadata_props.update({f"nas.{name}": value for name, value in draft.items()})
    return finished


def _finished(model: ir.Model, task: Task, *, keep_dead_units: bool = False) -> ir.Model:
    """A new model without dead units (unless they are kept) that takes the task's raw inputs.

    Metadata of other tools and of earlier exports is removed.
    """
    shrunk = model.clone() if keep_dead_units else onnx_graph.shrink(model)
    onnx_graph.drop_notes(shrunk)
    for name in [name for name in shrunk.metadata_props if name.startswith("nas.")]:
        del shrunk.metadata_props[name]
    if task.normalisation is None:
        return shrunk
    return onnx_graph.prepend_normalisation(shrunk, task.normalisation.offset, task.normalisation.scale)


def copy_of(source: Path, path: Path, task: Task) -> Exported:
    """Copy an exported model to another file, and return its facts again; the check is not repeated."""
    model = onnx_graph.load(source)
    count = onnx_graph.count(model)
    written = format_of(path).write(model, path, raw_inputs(task, task.validation.x[:EXAMPLES]))
    error = float(model.metadata_props.get("nas.largest_error", "nan"))
    return Exported(
        path=path, bytes=written, latency=latency(model), largest_error=error, nnz=count.nnz, weights=count.weights
    )


def raw_inputs(task: Task, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The raw inputs for the normalised inputs of a split."""
    return x if task.normalisation is None else task.normalisation.undo(x)


def run(model: ir.Model, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """First output of a model in onnxruntime for a batch of inputs; `ExportError` if onnxruntime refuses it.

    A model with a fixed batch size gets the examples in batches of this size.
    """
    runtime = Runtime(model)
    size = runtime.batch or len(x)
    batches = -(-len(x) // size)
    full = np.resize(x, (batches * size, *x.shape[1:]))  # repeats examples until the last batch is full
    return np.concatenate([runtime(full[start : start + size]) for start in range(0, len(full), size)])[: len(x)]


def largest_error(expected: NDArray[np.float32], actual: NDArray[np.float32]) -> float:
    """Largest absolute difference, divided by max(1, |expected|); infinity if the shapes differ."""
    if expected.shape != actual.shape:
        return float("inf")
    return float(np.max(np.abs(expected - actual) / np.maximum(1, np.abs(expected)), initial=0.0))
