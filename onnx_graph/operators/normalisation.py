"""Normalisations: batch, layer, group, instance, local response."""

from dataclasses import replace

import numpy as np

from onnx_graph.operators.axes import axis_of, countable, length, positive, rank_of, shape_of, spatial
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.places import Reads
from onnx_graph.propagation.regroup import Regroup
from onnx_graph.propagation.relation import KEPT, Path, Relation, mixing, paths
from onnx_graph.propagation.step import Fold


def batch(call: Call) -> Relation:
    """At inference, treats every position by itself, with the statistics and parameters of its channel."""
    trains = call.integer("training_mode", 0) or any(call.outputs[1:])
    return (
        mixing("statistics of the batch: a normalisation that is still in training is not followed") if trains else KEPT
    )


def layer(call: Call) -> Relation:
    """Mixes all axes from a given one on; mean and deviation are further outputs."""
    rank = rank_of(call)
    fold = Fold(tuple(range(axis_of(call, -1, rank), rank)))
    return paths(*(Path(output, 0, (fold,)) for output in range(len(call.outputs))))


def group(call: Call) -> Relation:
    """Mixes the channels of a group and all positions."""
    shape = shape_of(call)
    channels, groups = length(shape[1]), call.integer("num_groups", 1)
    if channels is None or groups < 1 or channels % groups:
        raise ValueError(f"{groups} groups of {channels} channels")
    by_group = (shape[0], groups, channels // groups, *shape[2:])
    fold = Fold(tuple(range(2, len(by_group))))
    return paths(Path(0, 0, (Regroup(shape, by_group), fold, Regroup(by_group, shape))))


def instance(call: Call) -> Relation:
    """Mixes the positions of a channel."""
    return paths(Path(0, 0, (Fold(spatial(rank_of(call))),)))


def along_axis(call: Call) -> Relation:
    """Mixes along one axis."""
    return paths(Path(0, 0, (Fold((axis_of(call, -1, rank_of(call)),)),)))


def mean_variance(call: Call) -> Relation:
    """Mixes along some axes, by default all except the channels."""
    axes = call.integers("axes")
    rank = rank_of(call)
    return paths(Path(0, 0, (Fold(positive((0, 2, 3) if axes is None else axes, rank)),)))


def local_response(call: Call) -> Relation:
    """Every channel depends on its neighbours."""
    channels, size = length(shape_of(call)[1]), call.integer("size", 1)
    if channels is None:
        return paths(Path(0, 0, (Fold((1,)),)), blurs="the number of channels is not known")
    countable(channels**2)
    offset = np.arange(channels)[None, :] - np.arange(channels)[:, None]
    near = (offset >= -((size - 1) // 2)) & (offset <= size // 2)
    return paths(Path(0, 0, (Reads(1, near),)))


_LAYER = Operator(kind="layer_norm", flow=layer, zero="finite", bent=True)

OPERATORS = (
    *Operator(
        kind="batch_norm",
        flow=batch,
        zero="finite",
        bent=True,
        ports={1: "scale", 2: "shift", 3: "mean", 4: "variance"},
    ).named("BatchNormalization"),
    *replace(_LAYER, ports={1: "scale", 2: "shift"}, defaults={"axis": -1}).named("LayerNormalization"),
    *replace(_LAYER, ports={1: "scale"}).named("RMSNormalization"),
    *replace(_LAYER, flow=group, rigid=True, ports={1: "scale", 2: "shift"}).named("GroupNormalization"),
    *replace(_LAYER, flow=instance, rigid=True, ports={1: "scale", 2: "shift"}).named("InstanceNormalization"),
    *replace(_LAYER, flow=along_axis, zero="", defaults={"axis": -1}).named("LpNormalization"),
    *replace(_LAYER, flow=mean_variance, zero="").named("MeanVarianceNormalization"),
    *_LAYER.named("SimplifiedLayerNormalization"),
    *Operator(kind="layer_norm", domain="com.microsoft").named("SkipLayerNormalization"),
    *Operator(
        kind="lrn", flow=local_response, rigid=True, zero="kept", bent=True, defaults={"alpha": 0.0001, "beta": 0.75}
    ).named("LRN"),
)
