"""What a network costs: counts, bytes and latency, all known before training."""

import time
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

import onnx_graph
from nas.measure.runtime import Runtime

COUNTED = ("nnz", "params", "weights", "macs", "density", "bytes")
"""Exact and machine-independent."""

COSTS = (*COUNTED, "latency")
"""Everything that an objective or a constraint can name beside the accuracy."""

DESCRIPTIONS: Mapping[str, str] = {
    "nnz": "non-zero weights",
    "params": "non-zero weights, biases and normalisation parameters",
    "weights": "weights, zero or not",
    "macs": "multiply-accumulates of the non-zero weights for one example",
    "density": "non-zero weights as a share of the same architecture's weights",
    "bytes": "size of the exported ONNX file, dead units removed",
    "latency": "median milliseconds of one example in onnxruntime on one thread",
}


def counts(model: ir.Model) -> dict[str, float]:
    """The metrics that cost well under a millisecond: nnz, params, weights, macs, density."""
    count = onnx_graph.count(model)
    return {
        "nnz": count.nnz,
        "params": count.params,
        "weights": count.weights,
        "macs": count.macs,
        "density": count.nnz / max(count.weights, 1),
    }


def measure(model: ir.Model, name: str) -> float:
    """``bytes`` or ``latency`` of a network in the form that it would be exported in."""
    return onnx_graph.size(model) if name == "bytes" else latency(model)


def latency(model: ir.Model, *, repeats: int = 50) -> float:
    """Median milliseconds of one example in onnxruntime on one CPU thread, after a warm-up.

    A model of a fixed batch size is timed with such a batch. `ExportError` where onnxruntime cannot run the model.
    """
    runtime = Runtime(model)
    x = np.zeros((runtime.batch or 1, *runtime.shape), np.float32)
    times = []
    for _ in range(repeats + 5):
        start = time.perf_counter()
        runtime(x)
        times.append(time.perf_counter() - start)
    return float(np.median(times[5:]) * 1e3)
