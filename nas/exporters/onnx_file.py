"""The export format ONNX."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from nas.exporters.export_format import ExportFormat


def write(model: ir.Model, path: Path, inputs: NDArray[np.float32]) -> int:
    """See `Write`. The model was already compared with the trained network."""
    return onnx_graph.save(model, path)


ONNX = ExportFormat(
    name="onnx", suffix=".onnx", meaning="an ONNX file for onnxruntime, with its origin as metadata", write=write
)
