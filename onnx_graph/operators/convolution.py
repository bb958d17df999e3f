"""Convolutions with a maskable weight: channels are distinguished, positions are not."""

from dataclasses import replace

from onnx_graph.operators.axes import made_by, rank_of, spatial
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import Path, Relation, mixing, paths
from onnx_graph.propagation.step import Drop, Fold, Insert
from onnx_graph.propagation.weighted import Through


def convolution(call: Call) -> Relation:
    """A channel is reached through kernels that are not all zero."""
    weight, places, made = call.product(1), spatial(rank_of(call)), spatial(len(made_by(call)))
    if weight is None or call.live[1]:
        return mixing("its kernel is no maskable weight")
    found = []
    if call.live[0]:
        found.append(Path(0, 0, (Fold(places), Drop(places), Through(weight, 1, 1), Insert(made))))
    if call.live[2:] and call.live[2]:
        found.append(Path(0, 2, (Insert((0, *made)),)))
    return paths(*found, blurs="places of an image are not told apart: weights are the same at all of them")


_CONVOLUTION = Operator(flow=convolution, reads=None, ports={1: "weight", 2: "bias"}, folds=False)

OPERATORS = (
    *replace(_CONVOLUTION, kind="conv").named("Conv"),
    *replace(_CONVOLUTION, kind="conv_transpose").named("ConvTranspose"),
    *Operator(folds=False).named("DeformConv"),
)
