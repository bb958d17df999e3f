"""Can this model be trained on this task and exported afterwards? Asked before anything is trained."""

import onnx_ir as ir

from nas.errors import UsageError
from nas.exporters.onnx_export import raw_inputs, run
from nas.tasks.task import Task


def require_trainable(model: ir.Model, task: Task) -> None:
    """Refuse a model that could not be trained or would fail at the export.

    Raises:
        UsageError: input or output do not fit the task.
        UnsupportedOperatorError: a node that the importer cannot run.
        ExportError: onnxruntime refuses the model.
    """
    from nas.importer.torch_network import import_model
    from nas.training.single import check_fit

    value = next((value for value in model.graph.inputs if not value.is_initializer()), None)
    if value is None or value.shape is None:
        raise UsageError("the model has no input of a known shape; export it with the shape of its input")
    if value.dtype is not ir.DataType.FLOAT:
        raise UsageError(
            f"the model's input {value.name!r} is of type {value.dtype}; only float32 models are supported"
        )
    check_fit(model, task)
    import_model(model)
    run(model, raw_inputs(task, task.validation.x[:2]))
