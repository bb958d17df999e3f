"""Reductions, running sums, and the positions of largest values."""

from dataclasses import replace

import numpy as np

from onnx_graph.operators.axes import axis_of, length, positive, rank_of, shape_of
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.places import Reads
from onnx_graph.propagation.relation import KEPT, Path, Relation, mixing, paths
from onnx_graph.propagation.step import Drop, Fold, Step


def reduction(call: Call) -> Relation:
    """Mixes along some axes, by default all of them, and drops these axes unless ``keepdims`` is set."""
    rank, axes = rank_of(call), call.integers("axes")
    if axes is None and call.given(1):
        return mixing("its axes are computed")
    if not axes:
        if call.integer("noop_with_empty_axes", 0):
            return KEPT
        axes = tuple(range(rank))
    return _reduced(tuple(sorted(set(positive(axes, rank)))), keeps=bool(call.integer("keepdims", 1)))


def _reduced(axes: tuple[int, ...], *, keeps: bool) -> Relation:
    steps: tuple[Step, ...] = (Fold(axes),) if keeps else (Fold(axes), Drop(axes))
    return paths(Path(0, 0, steps))


def extreme(call: Call) -> Relation:
    """Position of the largest or smallest value along an axis."""
    return _reduced((axis_of(call, 0, rank_of(call)),), keeps=bool(call.integer("keepdims", 1)))


def cumulative(call: Call) -> Relation:
    """Every position depends on those before it along an axis, and on itself unless ``exclusive`` is set."""
    shape, found = shape_of(call), call.integers("axis")
    if found is None or len(found) != 1:
        return mixing("its axis is computed")
    (axis,) = positive(found, len(shape))
    places = length(shape[axis])
    if places is None:
        return paths(Path(0, 0, (Fold((axis,)),)), blurs="the length of the axis is not known")
    reads = np.tri(places, k=-1 if call.integer("exclusive", 0) else 0, dtype=np.bool_)
    return paths(Path(0, 0, (Reads(axis, reads.T if call.integer("reverse", 0) else reads),)))


def largest(call: Call) -> Relation:
    """TopK: values and positions depend on the whole axis."""
    fold = Fold((axis_of(call, -1, rank_of(call)),))
    return paths(*(Path(output, 0, (fold,)) for output in range(len(call.outputs))))


_REDUCTION = Operator(kind="reduce", flow=reduction, settings={1: "axes"})
_SUM = replace(_REDUCTION, zero="kept")

_REDUCTIONS = (
    *_SUM.named("ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1"),
    *_REDUCTION.named("ReduceL2 ReduceLogSum"),
    *replace(_REDUCTION, zero="finite").named("ReduceLogSumExp"),
    *_SUM.named("ReduceSumSquare"),
    *Operator(kind="reduce", flow=cumulative, rigid=True, settings={1: "axis"}, zero="kept").named("CumSum"),
    *Operator(kind="reduce", flow=cumulative, rigid=True, settings={1: "axis"}).named("CumProd"),
)
_ORDER = (
    *Operator(kind="sort", flow=extreme, defaults={"axis": 0}).named("ArgMax ArgMin"),
    *Operator(kind="sort", flow=largest, settings={1: "k"}, defaults={"axis": -1}).named("TopK"),
    *Operator(kind="sort").named("NonZero"),
    *Operator(kind="sort", folds=False).named("NonMaxSuppression"),
    *Operator(kind="sort").named("Unique"),
)
OPERATORS = _REDUCTIONS + _ORDER
