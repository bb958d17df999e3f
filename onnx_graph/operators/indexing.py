"""Operators that write at positions given by numbers in a tensor."""

from onnx_graph.operators.axes import axis_of, rank_of
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import NOTHING, Path, Relation, paths
from onnx_graph.propagation.step import Insert


def one_hot(call: Call) -> Relation:
    """Every number becomes a row that is zero except for a single one."""
    return paths(Path(0, 0, (Insert((axis_of(call, -1, rank_of(call) + 1),)),)))


OPERATORS = (
    *Operator(kind="scatter").named("Scatter"),
    *Operator(kind="scatter", defaults={"axis": 0}).named("ScatterElements"),
    *Operator(kind="scatter").named("ScatterND"),
    *Operator(kind="scatter", flow=one_hot, rigid=True, settings={1: "depth"}, defaults={"axis": -1}).named("OneHot"),
    *Operator(kind="scatter", flow=NOTHING, rigid=True).named("EyeLike"),
    *Operator(kind="scatter").named("TensorScatter"),
)
