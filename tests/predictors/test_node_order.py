"""The canonical order: any order of the nodes leads to the same one."""

import numpy as np
import pytest

from predictors.node_order import canonical_order

# Two chains from node 0 that meet in node 5: 0 → 1 → 3 → 5 and 0 → 2 → 4 → 5.
EDGES = np.array([[0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 5]])
DEPTH = np.array([0, 1, 1, 2, 2, 3])


def ordered(
    kinds: list[int], edges: np.ndarray, depth: np.ndarray, shuffle: np.ndarray
) -> tuple[list[int], list[list[int]]]:
    """Kinds and sorted edges in canonical order, after relabelling node ``n`` as ``shuffle[n]``."""
    place = np.argsort(shuffle)
    features = np.zeros((len(kinds), 1), np.float32)
    moved_kinds, moved_edges, moved_depth = np.array(kinds)[place], shuffle[edges], depth[place]
    order = canonical_order(moved_kinds, features, moved_edges, moved_depth)
    rank = np.argsort(order)
    return moved_kinds[order].tolist(), sorted(rank[moved_edges].T.tolist())


@pytest.mark.parametrize("kinds", [[0, 1, 2, 3, 4, 5], [0, 1, 1, 2, 2, 3], [0, 1, 1, 2, 3, 4], [0, 1, 2, 3, 3, 4]])
def test_relabelling_changes_nothing(kinds):
    rng = np.random.default_rng(0)
    first = ordered(kinds, EDGES, DEPTH, np.arange(6))
    for _ in range(20):
        assert ordered(kinds, EDGES, DEPTH, rng.permutation(6)) == first


def test_depth_comes_first():
    kinds, edges = ordered([5, 4, 3, 2, 1, 0], EDGES, DEPTH, np.arange(6))
    assert kinds[0] == 5
    assert kinds[-1] == 0
    assert all(source < target for source, target in edges)


def test_twins_keep_to_their_own_successors():
    # Both chains look the same: whichever comes first, its successor comes first too.
    _, edges = ordered([0, 1, 1, 2, 2, 3], EDGES, DEPTH, np.array([0, 2, 1, 3, 4, 5]))
    assert edges == [[0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 5]]


def test_an_empty_graph_and_a_chain():
    nothing = canonical_order(
        np.zeros(0, np.int64), np.zeros((0, 2), np.float32), np.zeros((2, 0), np.int64), np.zeros(0, np.int64)
    )
    assert nothing.tolist() == []
    chain = canonical_order(
        np.array([3, 1, 2]), np.zeros((3, 2), np.float32), np.array([[2, 1], [1, 0]]), np.array([2, 1, 0])
    )
    assert chain.tolist() == [2, 1, 0]
