"""Pools: every channel by itself."""

from dataclasses import replace

from onnx_graph.operators.axes import rank_of, spatial
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import Path, Relation, paths
from onnx_graph.propagation.step import Fold


def window(call: Call) -> Relation:
    """Mixes the positions of a channel, although a position reads only its window."""
    fold = Fold(spatial(rank_of(call)))
    found = (Path(output, 0, (fold,)) for output in range(len(call.outputs)))
    return paths(*found, blurs="places of an image are not told apart: weights are the same at all of them")


def whole(call: Call) -> Relation:
    """Mixes all positions of a channel."""
    return paths(Path(0, 0, (Fold(spatial(rank_of(call))),)))


_WINDOW = Operator(flow=window, zero="kept", folds=False)
_WHOLE = Operator(kind="global_pool", flow=whole, zero="kept")

OPERATORS = (
    *replace(_WINDOW, kind="max_pool").named("MaxPool"),
    *Operator(kind="max_pool", folds=False).named("MaxRoiPool MaxUnpool"),
    *replace(_WINDOW, kind="average_pool").named("AveragePool"),
    *replace(_WINDOW, kind="average_pool", zero="").named("LpPool"),
    *_WHOLE.named("GlobalAveragePool GlobalMaxPool"),
    *replace(_WHOLE, zero="").named("GlobalLpPool"),
)
