"""Structure graphs as the rows of a matrix: whole-graph features, and node features pooled over each graph.

Nodes are pooled, so neither their order nor their number changes the width of the matrix.
"""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from predictors.errors import PredictorError
from predictors.features.graph_features import GRAPH_FEATURES, graph_feature_group
from predictors.features.node_features import NODE_FEATURES
from predictors.reading.operators import CLASSES
from predictors.structure_graph import StructureGraph
from predictors.task_description import TASK_FEATURES

__all__ = [
    "CLASSES",
    "GRAPH_FEATURES",
    "NODE_FEATURES",
    "SUMMARY_FEATURES",
    "column_groups",
    "matrix",
    "matrix_width",
    "node_table",
    "summaries",
    "summary_column",
]


SUMMARY_FEATURES: tuple[str, ...] = (*GRAPH_FEATURES, *(f"task_{name}" for name in TASK_FEATURES))
"""Names of the columns of `summaries`."""


def summaries(graphs: Sequence[StructureGraph]) -> NDArray[np.float64]:
    """Features of the whole graph and of the task (0 if it is not stated), float64 ``(graphs, len(SUMMARY_FEATURES))``, finite."""
    table = np.zeros((len(graphs), len(SUMMARY_FEATURES)))
    for row, graph in enumerate(graphs):
        if graph.summary.shape != (len(GRAPH_FEATURES),):
            raise PredictorError(
                f"graph {row} has a summary of shape {graph.summary.shape}, expected ({len(GRAPH_FEATURES)},): encode it with this version"
            )
        table[row, : len(GRAPH_FEATURES)] = graph.summary
        if graph.task is not None:
            table[row, len(GRAPH_FEATURES) :] = graph.task
    _require_finite(table, SUMMARY_FEATURES, "whole-graph")
    return table


def summary_column(graphs: Sequence[StructureGraph], name: str) -> NDArray[np.float64]:
    """One whole-graph feature by name, float64 ``(graphs,)``; `PredictorError` if there is no feature of that name."""
    if name not in GRAPH_FEATURES:
        raise PredictorError(f"no whole-graph feature {name!r}; known: {', '.join(GRAPH_FEATURES)}")
    return summaries(graphs)[:, tuple(GRAPH_FEATURES).index(name)]


def node_table(graphs: Sequence[StructureGraph]) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """The nodes of all graphs in one table: features ``(nodes, len(NODE_FEATURES))``, class of every node, graph of every node."""
    wrong = [
        row for row, graph in enumerate(graphs) if graph.features.shape != (len(graph.operators), len(NODE_FEATURES))
    ]
    if wrong:
        raise PredictorError(
            f"graph {wrong[0]} has node features of shape {graphs[wrong[0]].features.shape}, "
            f"expected ({len(graphs[wrong[0]].operators)}, {len(NODE_FEATURES)}): encode it with this version"
        )
    features = np.concatenate([graph.features for graph in graphs] or [np.zeros((0, len(NODE_FEATURES)), np.float32)])
    _require_finite(features, NODE_FEATURES, "node")
    operators = np.concatenate([graph.operators for graph in graphs] or [np.zeros(0, np.int64)])
    if len(operators) and not 0 <= operators.min() <= operators.max() < len(CLASSES):
        raise PredictorError(f"operator classes must lie in [0, {len(CLASSES)}): encode the graphs with this version")
    owner = np.repeat(np.arange(len(graphs)), [len(graph.operators) for graph in graphs])
    return features.astype(np.float32), operators, owner


def matrix(graphs: Sequence[StructureGraph]) -> NDArray[np.float32]:
    """Features of every graph, float32 ``(graphs, matrix_width())``: the summary, then mean, standard deviation, minimum and
    maximum of every node feature over the nodes, then the log count of every operator class."""
    fresh = [graph for graph in dict.fromkeys(graphs) if graph not in _ROWS]
    if fresh:
        try:
            rows = _matrix(fresh)
        except PredictorError:
            _matrix(graphs)  # report the position among all graphs
            raise
        # Copies: a view would keep the whole array in memory.
        _ROWS.update((graph, row.copy()) for graph, row in zip(fresh, rows, strict=True))
    return np.stack([_ROWS[graph] for graph in graphs]) if graphs else np.zeros((0, matrix_width()), np.float32)


_ROWS: WeakKeyDictionary[StructureGraph, NDArray[np.float32]] = WeakKeyDictionary()
"""Cache: rows of the matrix by graph, kept while the graph exists, because all members of an ensemble need them."""


def _matrix(graphs: Sequence[StructureGraph]) -> NDArray[np.float32]:
    features, operators, owner = node_table(graphs)
    counts = np.bincount(owner, minlength=len(graphs))
    filled = np.flatnonzero(counts)
    pooled = np.zeros((4, len(graphs), len(NODE_FEATURES)))
    if len(filled):
        starts = np.concatenate([[0], np.cumsum(counts[filled])[:-1]])
        mean = np.add.reduceat(features, starts, axis=0, dtype=np.float64) / counts[filled, None]
        deviation = (features - np.repeat(mean, counts[filled], axis=0)) ** 2
        pooled[0, filled] = mean
        pooled[1, filled] = np.sqrt(np.add.reduceat(deviation, starts, axis=0) / counts[filled, None])
        pooled[2, filled] = np.minimum.reduceat(features, starts, axis=0)
        pooled[3, filled] = np.maximum.reduceat(features, starts, axis=0)
    classes = np.bincount(owner * len(CLASSES) + operators, minlength=len(graphs) * len(CLASSES))
    blocks = [summaries(graphs), *pooled, np.log1p(classes.reshape(len(graphs), len(CLASSES)))]
    return np.concatenate(blocks, axis=1).astype(np.float32)


def column_groups() -> tuple[str, ...]:
    """The group of every column of `matrix`, for models that weight groups and for explanations."""
    pooled = [f"nodes {pool}" for pool in ("mean", "spread", "least", "most") for _ in NODE_FEATURES]
    return (
        *map(graph_feature_group, GRAPH_FEATURES),
        *["task"] * len(TASK_FEATURES),
        *pooled,
        *["operators"] * len(CLASSES),
    )


def matrix_width() -> int:
    """Number of columns of `matrix`."""
    return len(SUMMARY_FEATURES) + 4 * len(NODE_FEATURES) + len(CLASSES)


def _require_finite(table: NDArray[np.floating], names: Sequence[str], kind: str) -> None:
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise PredictorError(
            f"{kind} feature {names[column]!r} is {table[row, column]} in row {row}: features must be finite"
        )
