"""Softmax and its relatives: every position along an axis depends on all positions along it."""

from dataclasses import replace

from onnx_graph.operators.axes import axis_of, rank_of
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import Path, Relation, paths
from onnx_graph.propagation.step import Fold


def softmax(call: Call) -> Relation:
    """Mixes along one axis; before operator set 13 along all axes from that one on."""
    rank = rank_of(call)
    axis = axis_of(call, -1 if call.opset >= 13 else 1, rank)
    return paths(Path(0, 0, (Fold((axis,) if call.opset >= 13 else tuple(range(axis, rank))),)))


OPERATORS = replace(Operator(), kind="softmax", flow=softmax, bent=True, zero="finite").named(
    "Softmax LogSoftmax Hardmax"
)
