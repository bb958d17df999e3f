"""Explanation of a prediction: effects of layers, by changing their masks and predicting again, and of features, by Shapley values.

**Layers** are explained with networks that could be built. Two numbers for every weight: the cost of its sparsity (the prediction with
all its connections minus the prediction as it is), and the worth of its pattern (the prediction as it is minus the mean over random
masks with as many non-zeros).

**Features** are explained group by group against the typical network of the fit: the Shapley value of a group is its mean effect
over random orders in which the network's own features take the place of the typical ones (Štrumbelj and Kononenko 2014). They sum
to the difference between this prediction and that of the typical features in this graph.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from onnx_graph import Weight
from predictors.errors import PredictorError
from predictors.features.encoder import encode, in_memory
from predictors.features.graph_features import graph_feature_group
from predictors.features.matrix import GRAPH_FEATURES, NODE_FEATURES, STRUCTURE_FEATURES
from predictors.features.node_features import node_feature_group
from predictors.origin import Origin
from predictors.predictor import Predictor, answering
from predictors.structure_graph import StructureGraph
from predictors.task_description import TaskDescription

if TYPE_CHECKING:
    from predictors.library.batch import ModelLike

Said: TypeAlias = "Callable[[Sequence[StructureGraph]], NDArray[np.float64]]"
"""Predicted accuracies of structure graphs."""

DRAWS = 4
ORDERS = 12
MOST_LAYERS = 64
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "size": ("size and paths", "shapes and sizes"),
    "densities by layer": ("densities", "layers"),
    "paths of units": ("flow",),
    "mask topology": ("masks", "recurrent masks"),
    "operators and ways": (
        "operator paths",
        "operator counts",
        "ways",
        "links",
        "sequences",
        "ways, without size",
        "attributes",
    ),
}
"""Groups of features that are explained together, in the graph features and in the node features."""


@dataclass(frozen=True, kw_only=True)
class LayerEffect:
    """The effect of one layer's mask on a prediction.

    Attributes:
        name: name of the weight's initializer.
        density: share of its connections that is kept.
        sparsity_cost: accuracy that the prediction would gain with all its connections.
        pattern_worth: accuracy by which its pattern is predicted to be better than random ones of the same count.
        pattern_spread: standard deviation over the random ones.
    """

    name: str
    density: float
    sparsity_cost: float
    pattern_worth: float
    pattern_spread: float


@dataclass(frozen=True, kw_only=True)
class FeatureEffect:
    """A family of features: accuracy that it adds to the typical prediction, with the standard error over orders."""

    name: str
    effect: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The explanation of one prediction.

    Attributes:
        predicted: its predicted accuracy.
        typical: predicted accuracy with the typical features.
        layers: weights, in node order.
        features: families, the largest effect first.
    """

    predicted: float
    typical: float
    layers: tuple[LayerEffect, ...]
    features: tuple[FeatureEffect, ...]


def explain(
    predictor: Predictor,
    model: "ModelLike",
    *,
    task: TaskDescription | None = None,
    seed: int = 0,
    origin: Origin | None = None,
) -> Explanation:
    """Explain the prediction for a model (path, model in memory; a structure graph has no masks to change).

    `task` and `origin` are those of every network that is compared.

    Raises:
        PredictorError: a structure graph, a predictor that keeps no typical features, or more than 64 weights.
        onnx_graph.errors.GraphError: a model that cannot be read.
    """
    if isinstance(model, StructureGraph):
        raise PredictorError("a structure graph has no masks to change; explain the ONNX model itself")
    network = onnx_graph.simplify(in_memory(model))
    rng = np.random.default_rng(seed)

    def said(graphs: Sequence[StructureGraph]) -> NDArray[np.float64]:
        return predictor.predict([graph.on(task).of_origin(origin) for graph in graphs]).mean

    weights = onnx_graph.weights(network)
    if len(weights) > MOST_LAYERS:
        raise PredictorError(f"the network has {len(weights)} weights; at most {MOST_LAYERS} are explained")
    graph, masks = encode(network), onnx_graph.masks(network)
    typical = _typical(answering(predictor, graph.of_origin(origin)))
    predicted = float(said([graph])[0])
    return Explanation(
        predicted=predicted,
        typical=float(said([_mixed(graph, typical, frozenset())])[0]),
        layers=tuple(_layer(network, weight, masks[weight.name], said, predicted, rng) for weight in weights),
        features=_features(graph, typical, said, rng),
    )


def _layer(
    network: ir.Model,
    weight: Weight,
    mask: NDArray[np.bool_],
    said: Said,
    predicted: float,
    rng: np.random.Generator,
) -> LayerEffect:
    graphs = [encode(_with(network, weight, np.ones(mask.shape, bool)))]
    if 0 < mask.sum() < mask.size:
        graphs += [encode(_with(network, weight, _shuffled(mask, rng))) for _ in range(DRAWS)]
    full, *random = said(graphs).tolist()
    return LayerEffect(
        name=weight.name,
        density=float(mask.mean()),
        sparsity_cost=full - predicted,
        pattern_worth=predicted - float(np.mean(random)) if random else 0.0,
        pattern_spread=float(np.std(random)) if random else 0.0,
    )


def _shuffled(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    return rng.permutation(mask.ravel()).reshape(mask.shape)


def _with(network: ir.Model, weight: Weight, mask: NDArray[np.bool_]) -> ir.Model:
    changed = network.clone()
    onnx_graph.set_weights(changed, {weight.name: np.ascontiguousarray(weight.stored(mask.astype(np.float32)))})
    return changed


@dataclass(frozen=True, eq=False)
class _Typical:
    """Mean features of the graphs of the fit, and of the nodes of a mean graph."""

    summary: NDArray[np.float32]
    node: NDArray[np.float32]


def _typical(predictor: Predictor) -> _Typical:
    centre = getattr(predictor, "typical_features", None)
    if centre is None:
        raise PredictorError(
            f"predictor {predictor.name!r} keeps no typical features to compare with; an ensemble does"
        )
    first = len(STRUCTURE_FEATURES)
    last = first + len(NODE_FEATURES)  # between them are the means over nodes
    return _Typical(centre[: len(GRAPH_FEATURES)].astype(np.float32), centre[first:last].astype(np.float32))


def _mixed(graph: StructureGraph, typical: _Typical, own: frozenset[str]) -> StructureGraph:
    """The graph with its own features in the families of `own` and typical features in the other families."""
    summary, nodes = graph.summary.copy(), graph.features.copy()
    for family in FAMILIES:
        if family not in own:
            summary[_SUMMARY[family]] = typical.summary[_SUMMARY[family]]
            nodes[:, _NODE[family]] = typical.node[_NODE[family]]
    return replace(graph, summary=summary, features=nodes, units=graph.units if "mask topology" in own else None)


def _features(
    graph: StructureGraph, typical: _Typical, said: Said, rng: np.random.Generator
) -> tuple[FeatureEffect, ...]:
    names = list(FAMILIES)
    orders = [rng.permutation(len(names)).tolist() for _ in range(ORDERS // 2)]
    orders += [order[::-1] for order in orders]  # antithetic: halves the noise
    mixtures = [
        _mixed(graph, typical, frozenset(names[place] for place in order[:count]))
        for order in orders
        for count in range(len(names) + 1)
    ]
    table = said(mixtures).reshape(len(orders), len(names) + 1)
    effects: dict[str, list[float]] = {name: [] for name in names}
    for order, row in zip(orders, table, strict=True):
        for place, step in zip(order, np.diff(row).tolist(), strict=True):
            effects[names[place]].append(step)
    found = [
        FeatureEffect(name=name, effect=float(np.mean(steps)), error=float(np.std(steps) / np.sqrt(len(steps))))
        for name, steps in effects.items()
    ]
    return tuple(sorted(found, key=lambda one: -abs(one.effect)))


_SUMMARY = {
    family: np.array([graph_feature_group(name) in groups for name in GRAPH_FEATURES])
    for family, groups in FAMILIES.items()
}
_NODE = {
    family: np.array([node_feature_group(name) in groups for name in NODE_FEATURES])
    for family, groups in FAMILIES.items()
}
