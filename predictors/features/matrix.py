"""Structure graphs as the rows of a matrix: whole-graph features, node features pooled over each graph, and the context.

Nodes are pooled, so neither their order nor their number changes the width of the matrix. Columns are only ever added at the end: a
saved predictor reads the first columns, as many as it was fitted on (`first_columns`).
"""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidPredictorError, PredictorError
from predictors.features.context import CONTEXT_FEATURES, context_group, contexts
from predictors.features.graph_features import GRAPH_FEATURES, graph_feature_group
from predictors.features.node_features import NODE_FEATURES
from predictors.origin import ORIGIN_FEATURES
from predictors.reading.operators import CLASSES
from predictors.structure_graph import StructureGraph
from predictors.task_description import TASK_FEATURES

__all__ = [
    "CLASSES",
    "GRAPH_FEATURES",
    "NODE_FEATURES",
    "STRUCTURE_FEATURES",
    "SUMMARY_FEATURES",
    "column_groups",
    "first_columns",
    "matrix",
    "matrix_width",
    "node_table",
    "operator_columns",
    "structure_matrix",
    "structure_width",
    "summaries",
    "summary_column",
    "summary_place",
]


STRUCTURE_FEATURES: tuple[str, ...] = (*GRAPH_FEATURES, *(f"task_{name}" for name in TASK_FEATURES))
"""Names of the features of the whole graph and of its task, which are the first columns of `matrix`."""
SUMMARY_FEATURES: tuple[str, ...] = (*STRUCTURE_FEATURES, *CONTEXT_FEATURES)
"""Names of the columns of `summaries`."""


def summaries(graphs: Sequence[StructureGraph]) -> NDArray[np.float64]:
    """Features of the whole graph, of the task and of the context (0 if unknown), float64 ``(graphs, len(SUMMARY_FEATURES))``, finite."""
    return np.concatenate([_structure(graphs), contexts(graphs)], axis=1)


def first_columns(width: int, widest: int, what: str) -> int:
    """The number of columns that a saved predictor reads; `InvalidPredictorError` if no version of the package had that many columns.

    Args:
        width: number of columns that the predictor was fitted on.
        widest: number of columns that this version computes.
        what: the part of the predictor that is read, for the error.
    """
    if width not in (widest, widest - len(CONTEXT_FEATURES)):
        raise InvalidPredictorError(f"saved {what} is damaged: it reads {width} features, this version has {widest}")
    return width


def _structure(graphs: Sequence[StructureGraph]) -> NDArray[np.float64]:
    table = np.zeros((len(graphs), len(STRUCTURE_FEATURES)))
    for row, graph in enumerate(graphs):
        if graph.summary.shape != (len(GRAPH_FEATURES),):
            raise PredictorError(
                f"graph {row} has a summary of shape {graph.summary.shape}, expected ({len(GRAPH_FEATURES)},): encode it with this version"
            )
        table[row, : len(GRAPH_FEATURES)] = graph.summary
        if graph.task is not None:
            table[row, len(GRAPH_FEATURES) :] = graph.task
    _require_finite(table, STRUCTURE_FEATURES, "whole-graph")
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
    maximum of every node feature over the nodes, then the log count of every operator class, then the context."""
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


def structure_matrix(graphs: Sequence[StructureGraph]) -> NDArray[np.float32]:
    """`matrix` without the columns of the origin, float32 ``(graphs, structure_width())``: what a network is, nothing else."""
    return matrix(graphs)[:, : structure_width()]


def summary_place(name: str) -> int:
    """The column of `matrix` that holds one of `SUMMARY_FEATURES`."""
    place = SUMMARY_FEATURES.index(name)
    return place if place < len(STRUCTURE_FEATURES) else operator_columns().stop + place - len(STRUCTURE_FEATURES)


def operator_columns() -> slice:
    """Columns of `matrix` that count the operators of each class, in the order of `CLASSES`."""
    start = len(STRUCTURE_FEATURES) + 4 * len(NODE_FEATURES)
    return slice(start, start + len(CLASSES))


def structure_width() -> int:
    """Number of columns of `structure_matrix`."""
    return matrix_width() - len(ORIGIN_FEATURES)


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
    blocks = [_structure(graphs), *pooled, np.log1p(classes.reshape(len(graphs), len(CLASSES))), contexts(graphs)]
    return np.concatenate(blocks, axis=1).astype(np.float32)


def column_groups() -> tuple[str, ...]:
    """The group of every column of `matrix`, for models that weight groups and for explanations."""
    pooled = [f"nodes {pool}" for pool in ("mean", "spread", "least", "most") for _ in NODE_FEATURES]
    return (
        *map(graph_feature_group, GRAPH_FEATURES),
        *["task"] * len(TASK_FEATURES),
        *pooled,
        *["operators"] * len(CLASSES),
        *map(context_group, CONTEXT_FEATURES),
    )


def matrix_width() -> int:
    """Number of columns of `matrix`."""
    return len(STRUCTURE_FEATURES) + 4 * len(NODE_FEATURES) + len(CLASSES) + len(CONTEXT_FEATURES)


def _require_finite(table: NDArray[np.floating], names: Sequence[str], kind: str) -> None:
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise PredictorError(
            f"{kind} feature {names[column]!r} is {table[row, column]} in row {row}: features must be finite"
        )
