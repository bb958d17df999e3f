"""Size: the bytes of the exported ONNX file."""

import onnx_graph
from nas.measure.costs.cost import Cost

BYTES = Cost(
    name="bytes",
    meaning="size of the exported ONNX file, dead units removed",
    measure=onnx_graph.size,
    unit="bytes",
    exported=True,
)
