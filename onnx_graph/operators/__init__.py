"""The one place that knows what an ONNX operator does to shapes, units and weights: one file a family, `table` to look it up.

To add an operator, add it to its family with its rule, and a case to `tests/onnx_graph/test_operator_conformance.py`.
"""

from onnx_graph.operators.kinds import (
    ACTIVATIONS,
    CONVOLUTIONS,
    ELEMENTWISE,
    KINDS,
    LAYERS,
    NORMALISATIONS,
    POOLS,
    PRODUCTS,
    RECURRENT,
)
from onnx_graph.operators.operator import LEARNED, STATISTICS, Operator, Setting
from onnx_graph.operators.table import STANDARD_DOMAINS, TABLE, UNKNOWN, operator, operator_of

__all__ = [
    "ACTIVATIONS",
    "CONVOLUTIONS",
    "ELEMENTWISE",
    "KINDS",
    "LAYERS",
    "LEARNED",
    "NORMALISATIONS",
    "POOLS",
    "PRODUCTS",
    "RECURRENT",
    "STANDARD_DOMAINS",
    "STATISTICS",
    "TABLE",
    "UNKNOWN",
    "Operator",
    "Setting",
    "operator",
    "operator_of",
]
