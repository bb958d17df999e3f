"""Which networks share an architecture, whatever their masks: they are left out together when a predictor judges itself."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from predictors.features.node_features import ARCHITECTURE_COLUMNS
from predictors.structure_graph import StructureGraph

FEWEST = 10
"""With fewer architectures, networks are left out one by one: they are variants of a few, as are those that will be asked for."""


def architectures(graphs: Sequence[StructureGraph]) -> NDArray[np.int64]:
    """Number of every architecture, int64 ``(graphs,)``: operators, their shapes and attributes, and the number of links are equal."""
    return _numbered(map(_digest, graphs))


def left_out_together(graphs: Sequence[StructureGraph]) -> NDArray[np.int64]:
    """Groups of networks to leave out together, int64 ``(graphs,)``: architectures or, with fewer than `FEWEST` of them, equal networks."""
    group = architectures(graphs)
    if len(group) and group.max() + 1 >= FEWEST:
        return group
    return _numbered(graph.summary.tobytes() + graph.features.tobytes() for graph in graphs)


def folds(graphs: Sequence[StructureGraph], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of every network, int64 ``(graphs,)``, in [0, count): the networks of a group (`left_out_together`) are in one fold.

    The folds are about equally large: the largest groups are dealt out first, each to the smallest fold. With fewer groups than folds,
    single networks are dealt out.
    """
    group = left_out_together(graphs)
    sizes = np.bincount(group, minlength=1)
    if len(sizes) == len(graphs) or len(sizes) < count:
        return np.asarray(rng.permutation(len(graphs)) % max(min(count, len(graphs)), 1))
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled, fold = np.zeros(count, np.int64), np.empty(len(sizes), np.int64)
    for one in order.tolist():
        fold[one] = int(np.argmin(filled))
        filled[fold[one]] += sizes[one]
    return fold[group]


def members_of(group: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The networks of every group, in ascending order."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _numbered(keys: Iterable[bytes]) -> NDArray[np.int64]:
    """A number for every key, int64 ``(keys,)``: equal keys have the same, counted from their first occurrence."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _digest(graph: StructureGraph) -> bytes:
    """The nodes in any order, since their order may depend on the masks."""
    rows = np.concatenate(
        [graph.operators[:, None].astype(np.float32), graph.features[:, ARCHITECTURE_COLUMNS]], axis=1
    )
    content = b"".join(sorted(row.tobytes() for row in rows))
    return hashlib.blake2b(content + str(graph.edges.shape).encode(), digest_size=16).digest()
