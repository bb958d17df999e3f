"""How live units flow through the operators that hold no maskable weight.

An operator of no known rule *mixes*: one live unit makes all live.
"""

from collections.abc import Callable, Iterable

import numpy as np
import onnx_ir as ir

from onnx_graph.moving_flow import MIX, MOVING, Flow, ints
from onnx_graph.unit_map import Maps, UnitMap, any_over, join, rank_of, unbroadcast
from onnx_graph.weight import integer


def rule(node: ir.Node, opset: int, inputs: Maps) -> Flow:
    """The rule of a node, given the forward maps of its inputs."""
    if node.domain not in ("", "ai.onnx"):
        return MIX
    name = node.op_type
    found = _RULES.get(name)
    if found is None:
        return MIX
    if name in ELEMENTWISE:
        return found
    if name in _SOFTMAX and opset < 13:
        found = _OLD_SOFTMAX
    # Rank unknown, or an axis, a shape or an index that itself depends on the input.
    if any(each is not None and each.ndim == 0 for each in inputs):
        return MIX
    if name not in _MANY and any(each is not None for each in inputs[1:]):
        return MIX
    return found


def _elementwise_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    return [_padded(units, rank_of(value)) for value in node.outputs]


def _padded(units: UnitMap, rank: int) -> UnitMap:
    return units.reshape((1,) * (rank - units.ndim) + units.shape) if 0 < units.ndim < rank else units


def _elementwise_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units = join(outputs)
    return [None if value is None else unbroadcast(value, units) for value in node.inputs]


def _collapsing(axes: Callable[[ir.Node, int], Iterable[int]]) -> Flow:
    """Rule of an operator that mixes along ``axes(node, rank)`` and leaves the other axes alone."""

    def collapse(node: ir.Node, units: UnitMap) -> UnitMap:
        mixed = tuple(axis % units.ndim for axis in axes(node, units.ndim) if units.shape[axis % units.ndim] > 1)
        return any_over(units, mixed, keepdims=True) if mixed else units

    def forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
        units = collapse(node, join(inputs))
        return [units for _ in node.outputs]

    def backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
        units = join(outputs)
        return [collapse(node, units) if units.ndim else units] + [None] * (len(node.inputs) - 1)

    return Flow(forward, backward)


def _reduced_axes(node: ir.Node, rank: int) -> tuple[int, ...]:
    if node.op_type in ("ArgMax", "ArgMin"):
        return (integer(node, "axis", 0) % rank,)
    axes = ints(node, "axes", 1)
    if not axes:
        wired = len(node.inputs) > 1 and node.inputs[1] is not None and axes is None
        noop = integer(node, "noop_with_empty_axes", 0) and not wired
        return () if noop else tuple(range(rank))
    return tuple(axis % rank for axis in axes)


def _reduce_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    keep = bool(integer(node, "keepdims", 1))
    return [any_over(units, _reduced_axes(node, units.ndim), keepdims=keep)]


def _reduce_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units, rank = join(outputs), rank_of(node.inputs[0])
    axes = _reduced_axes(node, rank) if rank else ()
    if not integer(node, "keepdims", 1) and units.ndim + len(axes) == rank:
        units = np.expand_dims(units, axes)
    if units.ndim != rank:
        return MIX.backward(node, outputs)
    return [any_over(units, axes, keepdims=True)] + [None] * (len(node.inputs) - 1)


def _no_value(node: ir.Node, maps: Maps) -> list[UnitMap | None]:
    """Shape and Size read no values."""
    return [None] * max(len(node.inputs), len(node.outputs))


_ELEMENTWISE_NAMES = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike
    Ceil Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish
    Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal
    Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where
    Xor
"""
_REDUCTION_NAMES = """
    ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
    ReduceSumSquare ArgMax ArgMin
"""
ELEMENTWISE = frozenset(_ELEMENTWISE_NAMES.split())
_SOFTMAX = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
_MANY = frozenset({"Concat"})  # rules that read more than their first input

_ELEMENTWISE = Flow(_elementwise_forward, _elementwise_backward)
_OLD_SOFTMAX = _collapsing(lambda node, rank: range(integer(node, "axis", 1) % rank, rank))
_IMAGE = _collapsing(lambda node, rank: range(2, rank))

_RULES: dict[str, Flow] = {
    **dict.fromkeys(ELEMENTWISE, _ELEMENTWISE),
    **dict.fromkeys(("BatchNormalization", "QuantizeLinear", "DequantizeLinear", "Expand"), _ELEMENTWISE),
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool", "InstanceNormalization", "Resize", "Upsample"), _IMAGE),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), _IMAGE),
    "LRN": _collapsing(lambda node, rank: (1,)),
    **dict.fromkeys(("GroupNormalization", "MeanVarianceNormalization"), _collapsing(lambda node, rank: range(rank))),
    **dict.fromkeys(
        ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"),
        _collapsing(lambda node, rank: range(integer(node, "axis", -1) % rank, rank)),
    ),
    **dict.fromkeys((*_SOFTMAX, "LpNormalization"), _collapsing(lambda node, rank: (integer(node, "axis", -1),))),
    "TopK": _collapsing(lambda node, rank: (integer(node, "axis", -1),)),
    "CumSum": _collapsing(lambda node, rank: range(rank)),
    **dict.fromkeys(
        _REDUCTION_NAMES.split(),
        Flow(_reduce_forward, _reduce_backward),
    ),
    **MOVING,
    **dict.fromkeys(("Shape", "Size"), Flow(_no_value, _no_value)),
}
