"""Operators that write at places which are numbers themselves."""

from onnx_graph.operators.axes import axis_of, rank_of
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import NOTHING, Path, Relation, paths
from onnx_graph.propagation.step import Insert


def one_hot(call: Call) -> Relation:
    """Every number becomes a row of zeros with a one."""
    return paths(Path(0, 0, (Insert((axis_of(call, -1, rank_of(call) + 1),)),)))


OPERATORS = (
    *Operator(kind="scatter").named("Scatter"),
    *Operator(kind="scatter", defaults={"axis": 0}).named("ScatterElements"),
    *Operator(kind="scatter").named("ScatterND"),
    *Operator(kind="scatter", flow=one_hot, rigid=True, settings={1: "depth"}, defaults={"axis": -1}).named("OneHot"),
    *Operator(kind="scatter", flow=NOTHING, rigid=True).named("EyeLike"),
    *Operator(kind="scatter").named("TensorScatter"),
)
