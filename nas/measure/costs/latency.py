"""Latency: the time that one example takes in onnxruntime on one CPU thread."""

import time

import numpy as np
import onnx_ir as ir

from nas.measure.costs.cost import Cost
from nas.measure.runtime import Runtime


def latency(model: ir.Model, *, repeats: int = 50) -> float:
    """Median milliseconds of one example in onnxruntime on one CPU thread, after a warm-up.

    A model with a fixed batch size is timed with a batch of this size. `ExportError` if onnxruntime cannot run the model.
    """
    runtime = Runtime(model)
    x = np.zeros((runtime.batch or 1, *runtime.shape), np.float32)
    times = []
    for _ in range(repeats + 5):
        start = time.perf_counter()
        runtime(x)
        times.append(time.perf_counter() - start)
    return float(np.median(times[5:]) * 1e3)


LATENCY = Cost(
    name="latency",
    meaning="median milliseconds of one example in onnxruntime on one thread",
    measure=latency,
    unit="ms",
    exported=True,
    exact=False,
)
