"""A model and a task brought together before a training: inputs normalised once, batches of any size."""

from collections.abc import Sequence

import onnx_ir as ir

import onnx_graph
from nas.errors import UsageError
from nas.tasks.task import Normalisation, Task


def without_normalisation(model: ir.Model, task: Task) -> tuple[ir.Model, Task]:
    """The model without the normalisation of an earlier export, and the task with its inputs normalised in the same way.

    Weights keep their names, so that the trained weights fit the given model.
    """
    found = onnx_graph.split_normalisation(model)
    if found is None:
        return model, task
    return found.model, task.normalised_by(Normalisation(found.offset, found.scale))


def all_without_normalisation(models: Sequence[ir.Model], task: Task) -> tuple[list[ir.Model], Task]:
    """The same for several models; `UsageError` if they normalise their inputs by different numbers."""
    bare: list[ir.Model] = []
    own: Task | None = None
    for model in models:
        stripped, fitting = without_normalisation(model, task if own is None else own)
        if own is not None and fitting is not own:
            raise UsageError("the models normalise their inputs by different numbers; train them one by one")
        bare, own = [*bare, stripped], fitting
    return bare, task if own is None else own


def with_any_batch(model: ir.Model) -> ir.Model:
    """The model for batches of any size if its fixed batch size can be removed; otherwise the model unchanged.

    Whether its examples are independent is not checked here; `nas.verbs.compatibility.read_trainable` does that.
    """
    if onnx_graph.fixed_batch(model) is None:
        return model
    try:
        return onnx_graph.free_batch(model)
    except onnx_graph.FixedBatchError as error:
        _require_other_batch(model, error)
        return model


def _require_other_batch(model: ir.Model, error: onnx_graph.FixedBatchError) -> None:
    """Raise the error unless the importer, which ignores the stated size, can compute a batch of another size."""
    import torch

    from nas.importer.torch_network import import_model

    network = import_model(model)
    size, *rest = (size for size in model.graph.inputs[0].shape or () if isinstance(size, int))
    x = torch.zeros([size + 1, *rest])
    try:
        with torch.no_grad():
            output, _ = network(network.parameters, network.buffers, x)
    except (RuntimeError, ValueError, IndexError, TypeError):
        raise error from None
    if output.dim() == 0 or len(output) != len(x):
        raise error
