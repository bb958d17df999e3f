"""A canonical order of nodes: the same graph gives the same arrays, however its file was ordered.

Nodes are sorted by depth, then by a digest of what lies before and behind them, then by their predecessors' places.
Nodes that still tie look the same from everywhere.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def canonical_order(
    kinds: NDArray[np.int64], features: NDArray[np.float32], edges: NDArray[np.int64], depth: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Permutation of the nodes, int64 ``(nodes,)``: row i of the ordered arrays is node ``order[i]``.

    Args:
        kinds: class of every node ``(nodes,)``.
        features: ``(nodes, features)``.
        edges: ``(2, edges)``, every source before its target.
        depth: longest path from an input ``(nodes,)``; every edge goes to a greater depth.
    """
    count = len(kinds)
    if count == 0 or int(depth.max()) == count - 1:
        return np.argsort(depth)  # a chain
    before: list[list[int]] = [[] for _ in range(count)]
    behind: list[list[int]] = [[] for _ in range(count)]
    for source, target in zip(edges[0].tolist(), edges[1].tolist(), strict=True):
        before[target].append(source)
        behind[source].append(target)
    data, width = features.tobytes(), features.shape[1] * features.itemsize
    own = [_digest(bytes((kind,)), data[row * width : (row + 1) * width]) for row, kind in enumerate(kinds.tolist())]
    by_depth = np.argsort(depth, kind="stable").tolist()
    past, future = list(own), list(own)
    for node in by_depth:
        past[node] = _digest(own[node], *sorted(past[source] for source in before[node]))
    for node in reversed(by_depth):
        future[node] = _digest(own[node], *sorted(future[target] for target in behind[node]))
    return np.array(_sorted(by_depth, depth.tolist(), past, future, before), dtype=np.int64)


def _sorted(
    by_depth: Sequence[int],
    depth: Sequence[int],
    past: Sequence[bytes],
    future: Sequence[bytes],
    before: Sequence[Sequence[int]],
) -> list[int]:
    place: dict[int, int] = {}
    level: list[int] = []

    def settle() -> None:
        keys = {node: (past[node], future[node], sorted(place[source] for source in before[node])) for node in level}
        for node in sorted(level, key=lambda one: keys[one]):
            place[node] = len(place)
        level.clear()

    for node in by_depth:
        if level and depth[level[-1]] != depth[node]:
            settle()
        level.append(node)
    settle()
    return list(place)


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=8).digest()
