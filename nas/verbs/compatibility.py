"""Checks, before any training, that a model can be trained on a task and exported afterwards."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from nas.errors import UnsupportedModelError, UsageError
from nas.exporters.onnx_export import TOLERANCE, largest_error, run
from nas.tasks.task import Task
from nas.training.inputs import with_any_batch
from nas.training.task_fit import check_fit

Inputs = NDArray[np.float32]

_COMPUTING = (RuntimeError, ValueError, IndexError, TypeError)
"""Errors that PyTorch raises for tensors whose shapes do not fit."""

_MOST_ELEMENTS = 1 << 27
"""Most numbers in a batch on which a model is tried: half a gigabyte."""

_EXAMPLES = 5
"""Examples on which a model is tried, in addition to its batch: more than the usual batch sizes 1 and 2."""


def read_trainable(path: Path) -> ir.Model:
    """The simplified network of a file, for batches of any size.

    Raises:
        UsageError: its input is not float32 or has no known shape.
        GraphError: the file is not a valid model, or its fixed batch size cannot be removed.
        UnsupportedModelError: with other batch sizes the model would give other results.
    """
    model = onnx_graph.simplify(onnx_graph.load(path))
    _require_float_input(model)
    free = with_any_batch(model)
    if free is not model:
        require_same(model, partial(run, free))
    elif onnx_graph.fixed_batch(model) is not None:
        require_same(model, partial(_answers, model))
    onnx_graph.drop_notes(free)
    return free


def require_same(fixed: ir.Model, answers: Callable[[Inputs], Inputs]) -> None:
    """Compare a model of a fixed batch size with a function that must give the same results for batches of any size.

    Raises:
        UnsupportedModelError: they differ, because a result depends on the other examples of the batch.
        ExportError: onnxruntime refuses one of them.
    """
    size = onnx_graph.fixed_batch(fixed) or 1
    x = _random_inputs(fixed, size + _EXAMPLES)
    expected = run(fixed, x)
    for count in (1, size, len(x)):
        # The same examples in other batches, to notice results that depend on the rest of the batch.
        error = largest_error(expected[-count:], answers(x[-count:]))
        if not error <= TOLERANCE:
            raise UnsupportedModelError(
                f"the model is fixed to a batch of {size} and answers differently in a batch of {count} (by {error:.2g}); "
                "export it with a free batch axis (dynamic_shapes, or nas.from_torch)"
            )


def require_trainable(model: ir.Model, task: Task) -> None:
    """Refuse a model that could not be trained or would fail at the export.

    Args:
        model: model that takes the inputs of `task`, as they are in its splits.
        task: task with the data.

    Raises:
        UsageError: input or output do not fit the task.
        UnsupportedModelError: the model cannot take batches of any size.
        UnsupportedOperatorError: the importer cannot run a node.
        ExportError: onnxruntime refuses the model.
    """
    _require_float_input(model)
    check_fit(model, task)
    x = task.validation.x[:_EXAMPLES]
    for count in {1, len(x)}:
        _require_answers(model, x[:count])
    run(model, x)


def _require_float_input(model: ir.Model) -> None:
    value = next((value for value in model.graph.inputs if not value.is_initializer()), None)
    if value is None or value.shape is None:
        raise UsageError("the model has no input of a known shape; export it with the shape of its input")
    if value.dtype is not ir.DataType.FLOAT:
        raise UsageError(
            f"the model's input {value.name!r} is of type {value.dtype}; only float32 models are supported"
        )


def _require_answers(model: ir.Model, x: Inputs) -> None:
    """Run the imported model on a batch; refuse a model that fails."""
    output = _answers(model, x)
    if output.ndim == 0 or len(output) != len(x):
        raise UnsupportedModelError(
            f"the model gives an output of shape {output.shape} for {len(x)} examples; its first axis must be theirs"
        )


def _answers(model: ir.Model, x: Inputs) -> Inputs:
    """The imported model's outputs; `UnsupportedModelError` if it has nothing to train or cannot take that batch."""
    import torch

    from nas.importer.torch_network import import_model

    try:
        network = import_model(model)
        with torch.no_grad():
            output, _ = network(network.parameters, network.buffers, torch.from_numpy(np.ascontiguousarray(x)))
    except onnx_graph.GraphError:  # its message is already clear
        raise
    except _COMPUTING as error:
        node = next(iter(getattr(error, "__notes__", [])), "in one of its nodes")
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UnsupportedModelError(
            f"the model cannot answer {len(x)} examples at once: {node}: {reason}; if it was exported for one batch size, "
            "export it with a free batch axis (dynamic_shapes, or nas.from_torch)"
        ) from error
    if not network.parameters:
        raise UnsupportedModelError("the model has no weights to train")
    answers: Inputs = output.numpy()
    return answers


def _random_inputs(model: ir.Model, count: int) -> Inputs:
    value = next(value for value in model.graph.inputs if not value.is_initializer())
    shape = [size if isinstance(size, int) else 1 for size in list(value.shape or ())[1:]]
    if count * math.prod(shape) > _MOST_ELEMENTS:
        raise UnsupportedModelError(
            f"the model's input {value.name!r} of shape {value.shape} is too large to try the model; export it with a batch of 1"
        )
    return np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)
