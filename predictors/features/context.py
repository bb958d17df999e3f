"""The context of a network: which inputs it reads and how relevant they are, the balance of its units and gates, the origin of its mask.

They are the last columns of every table of features, so that a predictor that was fitted without them reads the same columns as before.
"""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from predictors.features.graph_features import GRAPH_FEATURES
from predictors.origin import ORIGIN_FEATURES
from predictors.paths.flow import Flow
from predictors.paths.input_use import InputUse
from predictors.paths.weight_flow import per_gate
from predictors.reading.canonical_graph import Block, CanonicalGraph
from predictors.structure_graph import StructureGraph

GATES = 4
BALANCE_FEATURES: tuple[str, ...] = (
    "log_live_units",
    "log_live_units_least",
    "paths_to_units",
    *(f"gate{gate}_{end}" for end in ("input", "hidden") for gate in range(GATES)),
    "gates_input_spread",
    "gates_hidden_spread",
)
"""Numbers of live units (all layers, the layer with fewest), logarithm of the number of paths over that of the units; and
the shares of the connections of a recurrent layer that its gates have, in ONNX's order, with largest minus smallest share."""
READING_FEATURES: tuple[str, ...] = (
    "inputs_log_read",
    "inputs_share_read",
    "inputs_log_edges",
    "inputs_edges_evenness",
    "inputs_paths_evenness",
    "relevance_told",
    "relevance_all",
    "relevance_most",
    "relevance_read",
    "relevance_share_read",
    "relevance_edges",
    "relevance_paths",
    "relevance_edges_gain",
    "relevance_paths_gain",
)
"""Use of the inputs, and their relevance: means over all inputs, over those that are read, over connections and over paths; the gain
is the logarithm of the last two relative to all inputs."""
CONTEXT_FEATURES: tuple[str, ...] = (
    *BALANCE_FEATURES,
    *READING_FEATURES,
    *(f"origin_{name}" for name in ORIGIN_FEATURES),
)
ORIGIN_GROUPS = {"weights": "weights", "family": "family", "method": "method", "planned": "plan"}
"""Group of a feature of the origin by the first part of its name."""
_GROUPS = (
    *("balance" for _ in BALANCE_FEATURES),
    *("inputs" for _ in READING_FEATURES),
    *(ORIGIN_GROUPS[name.split("_")[0]] for name in ORIGIN_FEATURES),
)
CONTEXT_GROUPS = tuple(dict.fromkeys(_GROUPS))
_LOG_WEIGHTS = GRAPH_FEATURES.index("log_weights")
_LEAST = 1e-3
"""Added to relevances before their ratio is taken."""


def context_group(name: str) -> str:
    """The group of a feature of the context: ``balance``, ``inputs``, or one of `ORIGIN_GROUPS`."""
    return _GROUPS[CONTEXT_FEATURES.index(name)]


def balance(graph: CanonicalGraph, flow: Flow) -> NDArray[np.float32]:
    """`BALANCE_FEATURES` of networks that differ only in their masks, float32 ``(networks, len(BALANCE_FEATURES))``."""
    networks = flow.networks
    live = np.zeros((1, networks))
    if flow.records:
        live = np.array([record.live.sum(axis=1) for record in flow.records.values()])
    units, least = np.log1p(live.sum(axis=0)), np.log1p(live.min(axis=0))
    paths = np.clip(flow.paths, 0.0, 1e4) / np.maximum(units, 1.0)
    layers = [operator.blocks for operator in graph.operators if len(operator.blocks) == 2]
    found = np.zeros((networks, len(BALANCE_FEATURES)))
    found[:, :3] = np.stack([units, least, paths], axis=1)
    for end in range(2) if layers else ():
        shares = np.stack([np.broadcast_to(_gate_shares(blocks[end]), (networks, GATES)) for blocks in layers])
        found[:, 3 + end * GATES : 3 + (end + 1) * GATES] = shares.mean(axis=0)
        found[:, 3 + 2 * GATES + end] = (shares.max(axis=2) - shares.min(axis=2)).mean(axis=0)
    return found.astype(np.float32)


def _gate_shares(block: Block) -> NDArray[np.float64]:
    """Share of a block's connections that every gate has, ``(networks, GATES)``; 0 for gates that the operator lacks."""
    counts = per_gate(block).sum(axis=(1, 3, 4))
    found = np.zeros((len(counts), GATES))
    found[:, : counts.shape[1]] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return found


def context(graph: StructureGraph) -> NDArray[np.float32]:
    """`CONTEXT_FEATURES`, float32; 0 for what is not known."""
    found = np.zeros(len(CONTEXT_FEATURES), np.float32)
    if graph.balance is not None:
        found[: len(BALANCE_FEATURES)] = graph.balance
    if graph.inputs is not None:
        end = len(BALANCE_FEATURES) + len(READING_FEATURES)
        found[len(BALANCE_FEATURES) : end] = reading(graph.inputs, graph.relevance)
    if graph.origin is not None:
        found[-len(ORIGIN_FEATURES) :] = graph.origin.features(float(np.expm1(graph.summary[_LOG_WEIGHTS])))
    return found


def contexts(graphs: Sequence[StructureGraph]) -> NDArray[np.float32]:
    """`context` of every graph, float32 ``(graphs, len(CONTEXT_FEATURES))``."""
    found = np.zeros((len(graphs), len(CONTEXT_FEATURES)), np.float32)
    for row, graph in enumerate(graphs):
        if graph not in _ROWS:
            _ROWS[graph] = context(graph)
        found[row] = _ROWS[graph]
    return found


_ROWS: WeakKeyDictionary[StructureGraph, NDArray[np.float32]] = WeakKeyDictionary()
"""Cache: the context of a graph, kept while the graph exists, because several members of an ensemble need it."""


def reading(use: InputUse | None, relevance: NDArray[np.float32] | None) -> NDArray[np.float64]:
    """`READING_FEATURES` of a network; 0 where the use of its inputs or their relevance is not known."""
    if use is None:
        return np.zeros(len(READING_FEATURES))
    (found,) = readings(use.edges[None], use.paths[None], relevance)
    return np.asarray(found)


def readings(
    edges: NDArray[np.float32], paths: NDArray[np.float32], relevance: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """`READING_FEATURES` of several networks with the same inputs, float64 ``(networks, len(READING_FEATURES))``.

    Args:
        edges, paths: the fields of `InputUse` of every network, each ``(networks, units)``.
        relevance: relevance of the units; None if it is not known.
    """
    links, ways = edges.astype(np.float64), paths.astype(np.float64)
    read = ways > 0
    found = np.zeros((len(links), len(READING_FEATURES)))
    found[:, 0], found[:, 2] = np.log1p(read.sum(axis=1)), np.log1p(links.sum(axis=1))
    found[:, 1] = read.mean(axis=1) if read.shape[1] else 0.0
    found[:, 3], found[:, 4] = _evenness(links), _evenness(ways)
    if relevance is not None and len(relevance):
        told = relevance.astype(np.float64)
        everywhere, total = told.mean(), told.sum()
        along = [_mean_along(told, weights) for weights in (read.astype(np.float64), links, ways)]
        share = (told * read).sum(axis=1) / total if total > 0 else np.zeros(len(links))
        gains = [np.log((mean + _LEAST) / (everywhere + _LEAST)) for mean in along[1:]]
        found[:, 5:8] = 1.0, everywhere, told.max()
        found[:, 8:] = np.stack([along[0], share, *along[1:], *gains], axis=1)
    return found


def _mean_along(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted mean of the values for every row of weights; 0 where no weight is above 0."""
    total = weights.sum(axis=1)
    return np.where(total > 0, (values * weights).sum(axis=1) / np.where(total > 0, total, 1), 0.0)


def _evenness(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Effective share of the units in every row, (Σw)² / (n Σw²): 1 if all weigh the same."""
    squares = (weights * weights).sum(axis=1) * weights.shape[1]
    return np.where(squares > 0, weights.sum(axis=1) ** 2 / np.where(squares > 0, squares, 1.0), 0.0)
