"""The canonical order: any order of the nodes leads to the same one."""

from itertools import permutations

import numpy as np
import pytest

from predictors.reading.node_order import canonical_order

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


def test_rounding_does_not_turn_the_order_round():
    rng = np.random.default_rng(0)
    kinds = np.array([0, 1, 1, 2, 2, 3])
    for _ in range(50):
        # Fractions as features have them, halves of every grid of tens or twos among them.
        features = rng.integers(-64, 64, (6, 3)) / rng.choice([1, 3, 7, 10, 64, 128, 20_000, 2_000_000], (6, 3))
        first = canonical_order(kinds, features, EDGES, DEPTH)
        for noise in (1e-15, -1e-15, 1e-13):
            assert np.array_equal(canonical_order(kinds, features * (1 + noise), EDGES, DEPTH), first)


def test_nodes_that_differ_by_less_than_the_grid_are_still_told_apart():
    features = np.zeros((6, 1))
    features[1], features[3] = 1e-9, 1e-9
    first = canonical_order(np.array([0, 1, 1, 2, 2, 3]), features, EDGES, DEPTH)
    turned = canonical_order(np.array([0, 1, 1, 2, 2, 3]), features[[0, 2, 1, 4, 3, 5]], EDGES, DEPTH)
    np.testing.assert_array_equal(features[first], features[[0, 2, 1, 4, 3, 5]][turned])


def _arrays(kinds: np.ndarray, features: np.ndarray, edges: np.ndarray, depth: np.ndarray) -> bytes:
    order = canonical_order(kinds, features, edges, depth)
    rank = np.argsort(order)[edges]
    return features[order].tobytes() + rank[:, np.lexsort(rank)].tobytes()


@pytest.mark.parametrize("behind", [[0.5, 0.5 + 1e-6], [0.5, 0.5], [0.5, 0.7]])
def test_what_lies_behind_decides_between_equals_in_any_order(behind):
    features = np.array([0, 1, 1, *behind, 2])[:, None]
    places = [list(one) for one in permutations(range(6))]
    found = set()
    for shuffle in places:
        place = np.argsort(shuffle)
        found.add(_arrays(np.zeros(6, np.int64), features[place], np.array(shuffle)[EDGES], DEPTH[place]))
    assert len(found) == 1


def test_what_a_reader_also_reads_decides_between_equals():
    # 0 → 1, 0 → 2, and 3 is read beside 1, 4 beside 2: 1 and 2 are told apart by them alone.
    edges = np.array([[0, 0, 1, 2, 3, 4, 5, 6], [1, 2, 5, 6, 5, 6, 7, 7]])
    depth = np.array([0, 1, 1, 0, 0, 2, 2, 3])
    features = np.array([0.0, 1, 1, 7, 8, 2, 2, 3])[:, None]
    rng, found = np.random.default_rng(0), set()
    for _ in range(200):
        shuffle = rng.permutation(8)
        place = np.argsort(shuffle)
        found.add(_arrays(np.zeros(8, np.int64), features[place], shuffle[edges], depth[place]))
    assert len(found) == 1


def test_an_empty_graph_and_a_chain():
    nothing = canonical_order(
        np.zeros(0, np.int64), np.zeros((0, 2), np.float32), np.zeros((2, 0), np.int64), np.zeros(0, np.int64)
    )
    assert nothing.tolist() == []
    chain = canonical_order(
        np.array([3, 1, 2]), np.zeros((3, 2), np.float32), np.array([[2, 1], [1, 0]]), np.array([2, 1, 0])
    )
    assert chain.tolist() == [2, 1, 0]
