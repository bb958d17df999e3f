"""Facts about what ONNX operators do to shapes, units and weights, kept only here: one file per family, `table` to look them up.

To add an operator, add it to its family with its rule, and a case to `tests/onnx_graph/test_operator_conformance.py`.
"""

from onnx_graph.operators.axes import made_by, spatial
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
from onnx_graph.operators.operator import LEARNED, STATISTICS, UNFIT, Operator, Setting, relation
from onnx_graph.operators.result_size import result_numbers, stored_bytes
from onnx_graph.operators.table import STANDARD_DOMAINS, TABLE, UNKNOWN, facts_of, operator_of

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
    "UNFIT",
    "UNKNOWN",
    "Operator",
    "Setting",
    "facts_of",
    "made_by",
    "operator_of",
    "relation",
    "result_numbers",
    "spatial",
    "stored_bytes",
]
