"""Operators that treat every position by itself: arithmetic, comparisons, functions of one number, changes of type."""

from dataclasses import replace

import numpy as np

from onnx_graph.operators.axes import shape_of
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import KEPT, Path, Relation, paths
from onnx_graph.propagation.step import Gate, Step, Stretch


def elementwise(call: Call) -> Relation:
    """Every position depends on the same position of the inputs, which are broadcast."""
    if len(call.inputs) == 1:
        return KEPT
    made = call.outputs[0]
    rank = len(made) if made is not None else max(len(shape) for shape in call.inputs if shape is not None)
    found = []
    for index, live in enumerate(call.live):
        if live:
            shape = shape_of(call, index)
            if len(shape) > rank:
                raise ValueError(f"{len(shape)} axes cannot be broadcast to {rank}")
            steps: tuple[Step, ...] = () if shape == made else (Stretch(shape, rank),)
            found.append(Path(0, index, steps))
    return paths(*found)


def product(call: Call) -> Relation:
    """Elementwise; nothing passes where a constant factor is zero."""
    relation = elementwise(call)
    if all(call.live):
        return relation
    factor, made = call.constant(0 if call.live[1] else 1), call.outputs[0]
    if factor is None or made is None or np.count_nonzero(factor) == factor.size:
        return relation
    if factor.ndim > len(made):
        raise ValueError(f"a factor of {factor.ndim} axes in a product of {len(made)}")
    gate = Gate((factor != 0).reshape((1,) * (len(made) - factor.ndim) + factor.shape))
    return paths(*(Path(path.output, path.input, (*path.steps, gate)) for path in relation.stages[0]))


_MANY = Operator(flow=elementwise, reads=None)
_ONE = Operator(kind="pointwise", flow=KEPT)

ARITHMETIC = (
    *replace(_MANY, kind="add", zero="kept", sums=True).named("Add"),
    *replace(_MANY, kind="add", zero="kept", ordered=True).named("Sub"),
    *replace(_MANY, kind="add", zero="kept", sums=True).named("Sum"),
    *replace(_MANY, kind="add", zero="kept").named("Mean"),
    *replace(_MANY, kind="mul", flow=product, zero="kept").named("Mul"),
    *replace(_MANY, kind="mul", ordered=True).named("Div"),
)
COMPARISONS = (
    *replace(_MANY, kind="compare", ordered=True).named("Where"),
    *replace(_MANY, kind="compare").named("Equal"),
    *replace(_MANY, kind="compare", ordered=True).named("Greater Less GreaterOrEqual LessOrEqual"),
    *replace(_MANY, kind="compare").named("And Or Xor"),
    *replace(_MANY, kind="compare", zero="kept").named("Max Min"),
    *replace(_MANY, kind="compare", ordered=True).named("Mod BitShift"),
    *replace(_MANY, kind="compare").named("BitwiseAnd BitwiseOr BitwiseXor"),
    *replace(_ONE, kind="compare").named("IsNaN IsInf"),
)
FUNCTIONS = (
    *replace(_ONE, zero="finite", bent=True).named("Exp"),
    *replace(_ONE, bent=True).named("Log Sqrt"),
    *_ONE.named("Reciprocal"),
    *replace(_ONE, zero="kept", bent=True).named("Neg"),
    *replace(_ONE, zero="kept").named("Abs Sign Floor Ceil Round Erf"),
    *replace(_MANY, kind="pointwise", ordered=True, settings={1: "exponent"}).named("Pow"),
    *replace(_ONE, zero="kept").named("Sin"),
    *replace(_ONE, zero="finite").named("Cos"),
    *replace(_ONE, zero="kept").named("Tan Asin"),
    *replace(_ONE, zero="finite").named("Acos"),
    *replace(_ONE, zero="kept").named("Atan Sinh"),
    *replace(_ONE, zero="finite").named("Cosh"),
    *replace(_ONE, zero="kept").named("Asinh"),
    *_ONE.named("Acosh"),
    *replace(_ONE, zero="kept").named("Atanh"),
    *_ONE.named("Not BitwiseNot"),
    *replace(_ONE, zero="kept", passes=True).named("Identity"),
    *replace(_ONE, zero="kept", passes=True, casts=True).named("Cast"),
    *replace(_ONE, zero="kept", passes=True, casts=True, reads=None).named("CastLike"),
    *_ONE.named("BitCast"),
    *replace(_ONE, zero="kept", passes=True).named("Dropout"),
)
OPERATORS = ARITHMETIC + COMPARISONS + FUNCTIONS
