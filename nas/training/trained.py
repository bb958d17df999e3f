"""A trained network as an ONNX graph."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from nas.training.options import TrainingResult
from onnx_graph import set_weights


def apply_result(model: ir.Model, result: TrainingResult) -> ir.Model:
    """A copy of the model that holds the trained weights and normalisation statistics."""
    return with_weights(model, result.weights)


def with_weights(model: ir.Model, arrays: Mapping[str, NDArray[np.float32]]) -> ir.Model:
    """A copy of the model that holds these values."""
    trained = model.clone()
    set_weights(trained, arrays)
    return trained
