"""A canonical order of nodes: the same graph gives the same arrays for any order of nodes in its file.

Nodes are sorted by depth, then by digests of the nodes before and behind them, then by their predecessors' positions. The digests
use features rounded to a grid, because the last bits of a sum differ between processors and must not change the order. If all of
these are equal, digests of the exact features decide. Nodes that are still equal are indistinguishable.
"""

import hashlib
from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

_FINENESS = 1e5 * np.pi
"""Grid steps per unit. The number is irrational, so that no fraction lies in the middle between two steps."""


def is_chain(depth: NDArray[np.int64]) -> bool:
    """Whether no two nodes have the same depth ``(nodes,)``, so that it alone decides their order."""
    return len(depth) == 0 or int(depth.max()) == len(depth) - 1


def canonical_order(
    kinds: NDArray[np.int64], features: NDArray[np.float64], edges: NDArray[np.int64], depth: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Permutation of the nodes, int64 ``(nodes,)``: row i of the ordered arrays is node ``order[i]``.

    Args:
        kinds: class of every node ``(nodes,)``.
        features: features of the nodes ``(nodes, features)``.
        edges: edges ``(2, edges)``, every source before its target.
        depth: longest path from an input ``(nodes,)``; every edge goes to a greater depth.
    """
    count = len(kinds)
    if is_chain(depth):
        return np.argsort(depth)
    before: list[list[int]] = [[] for _ in range(count)]
    behind: list[list[int]] = [[] for _ in range(count)]
    for source, target in zip(edges[0].tolist(), edges[1].tolist(), strict=True):
        before[target].append(source)
        behind[source].append(target)
    by_depth = np.argsort(depth, kind="stable").tolist()
    on_grid = np.rint(features * _FINENESS) + 0.0  # no −0
    past, future = _surroundings(_digests(kinds, on_grid), by_depth, before, behind)
    order = _sorted(by_depth, depth.tolist(), past, future, before)
    if order is None:
        _, exact = _surroundings(_digests(kinds, features + 0.0), by_depth, before, behind)
        order = _sorted(by_depth, depth.tolist(), past, future, before, exact)
    return np.array(order, dtype=np.int64)


def _digests(kinds: NDArray[np.int64], features: NDArray[np.float64]) -> list[bytes]:
    """Digest of every node alone."""
    data, width = features.tobytes(), features.shape[1] * features.itemsize
    return [_digest(bytes((kind,)), data[row * width : (row + 1) * width]) for row, kind in enumerate(kinds.tolist())]


def _surroundings(
    own: Sequence[bytes], by_depth: Sequence[int], before: Sequence[Sequence[int]], behind: Sequence[Sequence[int]]
) -> tuple[list[bytes], list[bytes]]:
    """Digests of every node with the nodes before it, and with the nodes before and behind it."""
    past = list(own)
    for node in by_depth:
        past[node] = _digest(own[node], *sorted(past[source] for source in before[node]))
    future = list(past)
    for node in reversed(by_depth):
        future[node] = _digest(past[node], *sorted(future[target] for target in behind[node]))
    return past, future


def _sorted(
    by_depth: Sequence[int],
    depth: Sequence[int],
    past: Sequence[bytes],
    future: Sequence[bytes],
    before: Sequence[Sequence[int]],
    exact: Sequence[bytes] | None = None,
) -> list[int] | None:
    """The nodes in order; None if nodes are equal and there are no digests `exact` that may tell them apart."""
    place: dict[int, int] = {}
    for _, group in groupby(by_depth, depth.__getitem__):
        level = list(group)
        keys = {node: (past[node], future[node], sorted(place[source] for source in before[node])) for node in level}
        if exact is not None:
            level.sort(key=lambda node: (*keys[node], exact[node]))
        else:
            level.sort(key=keys.__getitem__)
            if any(keys[one] == keys[two] for one, two in pairwise(level)):
                return None
        for node in level:
            place[node] = len(place)
    return list(place)


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=8).digest()
