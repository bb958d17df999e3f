"""The budget for computing constants: total memory, memory for results larger than their inputs, and multiplications."""

import onnx_ir as ir

from onnx_graph.operators import operator_of
from onnx_graph.operators.result_size import Arrays, result_numbers, stored_bytes

MOST_BYTES = 512 << 20
"""Bytes of all results together."""
MOST_MADE_BYTES = 64 << 20
"""Bytes of all results together that are larger than their inputs."""
_MOST_PRODUCTS = 10**10
"""Maximal number of multiplications of one product."""


class FoldingBudget:
    """The part of the budget that remains for a graph."""

    def __init__(self) -> None:
        self._bytes, self._made = MOST_BYTES, MOST_MADE_BYTES

    def takes(self, node: ir.Node, inputs: Arrays) -> bool:
        """Whether a node of the standard domain may be computed from these inputs; if so, its cost is subtracted from the budget."""
        numbers = result_numbers(node, inputs)
        if numbers is None or (operator_of(node).kind == "dense" and numbers * _inner(inputs) > _MOST_PRODUCTS):
            return False
        size = len(node.outputs) * numbers * _width(node.outputs[0], inputs)
        made = size if size > stored_bytes(inputs) else 0
        if size > self._bytes or made > self._made:
            return False
        self._bytes -= size
        self._made -= made
        return True


def _inner(inputs: Arrays) -> int:
    return max((max(array.shape, default=1) for array in inputs[:2] if array is not None), default=1)


def _width(value: ir.Value, inputs: Arrays) -> int:
    """Bytes of one number of a result."""
    known = 1 if value.dtype is None or value.dtype == ir.DataType.STRING else value.dtype.bitwidth // 8
    return max(known, *(array.itemsize for array in inputs if array is not None), 1)
