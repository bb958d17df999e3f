"""Size of a node's result, computed from its inputs when all of them are known, without computing the result.

The result's shape in the file is not used: it may be wrong, and a node of fifty bytes can request more than the available memory.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, prod
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.operators.kinds import ELEMENTWISE
from onnx_graph.operators.table import operator_of

Arrays: TypeAlias = Sequence["NDArray[Any] | None"]


def result_numbers(node: ir.Node, inputs: Arrays) -> int | None:
    """Upper bound on the numbers of each output of a node; None for an operator without a rule and for inputs that do not fit it.

    Args:
        node: node of the standard domain.
        inputs: arrays of its inputs, None for an omitted one.
    """
    rule = _RULES.get(node.op_type) or (_broadcast if operator_of(node).kind in ELEMENTWISE else None)
    if rule is None:
        return None
    try:
        return int(rule(node, [array if array is not None else np.zeros(0) for array in inputs]))
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError):
        return None


def stored_bytes(inputs: Arrays) -> int:
    """Bytes that arrays take in memory; repetitions by stride 0 take none."""
    return sum(
        prod(size for size, step in zip(array.shape, array.strides, strict=True) if step) * array.itemsize
        for array in inputs
        if array is not None
    )


Rule: TypeAlias = Callable[[ir.Node, Sequence[NDArray[Any]]], int]


def _broadcast(node: ir.Node, inputs: Sequence[NDArray[Any]]) -> int:
    return prod(np.broadcast_shapes(*(array.shape for array in inputs if array.size or array.ndim)))


def _first(node: ir.Node, inputs: Sequence[NDArray[Any]]) -> int:
    return inputs[0].size


def _product(node: ir.Node, inputs: Sequence[NDArray[Any]]) -> int:
    """Rows of the first matrix times columns of the second, for every pair of matrices."""
    first, second = (array.reshape(1, -1) if array.ndim < 2 else array for array in inputs[:2])
    rows, columns = max(first.shape[-2:]), max(second.shape[-2:])
    matrices = prod(np.broadcast_shapes(first.shape[:-2], second.shape[:-2]))
    return int(matrices * rows * columns)


def _numbers(array: NDArray[Any]) -> list[int]:
    return [int(number) for number in array.ravel().tolist()]


def _padded(node: ir.Node, inputs: Sequence[NDArray[Any]]) -> int:
    """Size if every axis were longer by the sum of all pads: an upper bound for any assignment of pads to axes."""
    pads = _numbers(inputs[1]) if len(inputs) > 1 else list(node.attributes.get_ints("pads") or ())
    longer = sum(abs(pad) for pad in pads)
    return prod(size + longer for size in inputs[0].shape)


def _range(node: ir.Node, inputs: Sequence[NDArray[Any]]) -> int:
    start, limit, step = (float(array.reshape(-1)[0]) for array in inputs[:3])
    return max(ceil((limit - start) / step), 0)


_SAME = """
    ArgMax ArgMin BatchNormalization Compress CumSum DepthToSpace DequantizeLinear EyeLike Flatten GlobalAveragePool
    GlobalLpPool GlobalMaxPool GroupNormalization Hardmax InstanceNormalization LRN LayerNormalization LogSoftmax
    LpNormalization MeanVarianceNormalization QuantizeLinear RMSNormalization ReduceL1 ReduceL2 ReduceLogSum
    ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Reshape ReverseSequence Scatter
    ScatterElements ScatterND Slice Softmax SpaceToDepth Split Squeeze TopK Transpose Trilu Unsqueeze
"""
_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_SAME.split(), _first),
    **dict.fromkeys(("MatMul", "Gemm"), _product),
    "Concat": lambda node, inputs: sum(array.size for array in inputs),
    "ConstantOfShape": lambda node, inputs: prod(max(size, 0) for size in _numbers(inputs[0])),
    "Expand": lambda node, inputs: prod(np.broadcast_shapes(inputs[0].shape, tuple(_numbers(inputs[1])))),
    "Gather": lambda node, inputs: (
        inputs[0].size // max(inputs[0].shape[node.attributes.get_int("axis", 0)], 1) * inputs[1].size
    ),
    "GatherElements": lambda node, inputs: inputs[1].size,
    "GatherND": lambda node, inputs: inputs[0].size * max(inputs[1].size, 1),
    "NonZero": lambda node, inputs: inputs[0].size * max(inputs[0].ndim, 1),
    "OneHot": lambda node, inputs: inputs[0].size * max(int(inputs[1].reshape(-1)[0]), 0),
    "Pad": _padded,
    "Range": _range,
    "Shape": lambda node, inputs: inputs[0].ndim,
    "Size": lambda node, inputs: 1,
    "Tile": lambda node, inputs: inputs[0].size * prod(max(times, 0) for times in _numbers(inputs[1])),
}
