"""The trained network as what it was before: an ONNX graph."""

import onnx_ir as ir

from nas.training.options import TrainingResult
from onnx_graph.weight import set_weights


def apply_result(model: ir.Model, result: TrainingResult) -> ir.Model:
    """A copy of the model that holds the trained weights and normalisation statistics."""
    trained = model.clone()
    set_weights(trained, result.weights)
    return trained
