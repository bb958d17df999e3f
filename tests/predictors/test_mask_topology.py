"""Distances, clustering and walks of masks, against networkx and against what merging must not change."""

import networkx as nx
import numpy as np
import pytest

from predictors.features.mask_features import MASK_FEATURES, full_mask_features, mask_features
from predictors.features.mask_topology import MERGED, TOPOLOGY_FEATURES, full_topology, merge_twins, topology_features


def _told(mask: np.ndarray) -> dict[str, float]:
    return dict(zip(TOPOLOGY_FEATURES, topology_features([mask.astype(float)])[0], strict=True))


def _random(rows: int, columns: int, density: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, columns)) < density


def _graph(mask: np.ndarray) -> nx.Graph:
    graph = nx.Graph()
    graph.add_edges_from(
        (("out", int(row)), ("in", int(column))) for row, column in zip(*np.nonzero(mask), strict=True)
    )
    return graph


@pytest.mark.parametrize("seed", range(4))
def test_distances_and_clustering_are_those_of_the_bipartite_graph(seed):
    mask = _random(14, 10, 0.25, seed)
    graph, told = _graph(mask), _told(mask)
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    outs = [node for node in graph if node[0] == "out"]
    reached = [steps for node in outs for other, steps in lengths[node].items() if other != node]
    assert told["distance"] == pytest.approx(np.mean(reached))
    assert told["eccentricity"] == pytest.approx(np.mean([max(lengths[node].values()) for node in outs]))
    assert told["linked"] == pytest.approx(len(reached) / (len(outs) * (len(graph) - 1)))
    assert told["clustering"] == pytest.approx(nx.bipartite.robins_alexander_clustering(graph))


@pytest.mark.parametrize("seed", range(3))
def test_the_spectrum_is_that_of_the_normalised_mask(seed):
    mask = _random(12, 20, 0.4, seed)
    mask = mask[mask.any(axis=1)][:, mask.any(axis=0)]
    walk = mask / np.sqrt(mask.sum(axis=1))[:, None] / np.sqrt(mask.sum(axis=0))
    values = np.linalg.svd(walk, compute_uv=False)
    told = _told(mask)
    assert told["walk_return"] == pytest.approx(np.log((values**2).sum()))
    assert told["walk_return4"] == pytest.approx(np.log((values**4).sum()))
    squares = np.linalg.svd(mask.astype(float), compute_uv=False) ** 2
    assert told["effective_rank"] == pytest.approx(squares.sum() ** 2 / (squares**2).sum() / min(mask.shape))


def test_two_separate_parts_show():
    mask = np.kron(np.eye(2), np.ones((5, 5)))
    told = _told(mask)
    assert told["walk_return"] == pytest.approx(np.log(2))
    assert told["linked"] == pytest.approx(9 / 19)
    assert told["clustering"] == pytest.approx(1.0)


def test_a_mask_grown_from_a_graph_tells_what_its_seed_tells():
    seed = _random(40, 40, 0.15, 1) | np.eye(40, dtype=bool)
    seed |= seed.T
    small, large = np.kron(seed, np.ones((4, 4))), np.kron(seed, np.ones((8, 8)))
    assert len(small) <= MERGED < len(large)
    one, two = _told(small), _told(large)
    for name in ("eccentricity", "linked", "walk_return", "walk_return4"):
        assert two[name] == pytest.approx(one[name], rel=0.02), name
    graph = nx.from_numpy_array(seed)
    assert two["distance"] == pytest.approx(nx.average_shortest_path_length(graph) + 0.5, abs=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (7, 4), (300, 20)])
def test_a_full_mask_is_told_in_constant_time(shape):
    np.testing.assert_allclose(full_topology(*shape), topology_features([np.ones(shape)])[0], atol=1e-9)
    np.testing.assert_allclose(
        full_mask_features(shape), mask_features([np.ones(shape, bool)])[0], rtol=1e-3, atol=1e-6
    )


def test_counts_are_merged_where_they_are_the_same_not_where_their_last_bytes_are():
    counts = np.array([[1.0, 257, 1], [257, 1, 257], [1, 257, 1], [0, 65536, 0]])
    merged, rows, columns = merge_twins(counts)
    np.testing.assert_array_equal(merged, [[1, 257], [257, 1], [0, 65536]])
    np.testing.assert_array_equal(rows, [2, 1, 1])
    np.testing.assert_array_equal(columns, [2, 1])


def test_merging_leaves_the_singular_values():
    mask = np.kron(_random(50, 40, 0.2, 3), np.ones((8, 8))).astype(bool)
    assert mask.size > MERGED**2
    found = dict(zip(MASK_FEATURES, mask_features([mask])[0], strict=True))
    values = np.linalg.svd(mask.astype(float), compute_uv=False)
    scale = mask.sum() / np.sqrt(mask.size)
    assert found["sigma1"] == pytest.approx(values[0] / scale, rel=1e-6)
    assert found["sigma2"] == pytest.approx(values[1] / scale, rel=0.05)


def test_the_order_of_units_does_not_matter():
    mask = _random(30, 20, 0.2, 5)
    rng = np.random.default_rng(0)
    turned = mask[rng.permutation(30)][:, rng.permutation(20)]
    np.testing.assert_allclose(
        topology_features([turned.astype(float)])[0], topology_features([mask.astype(float)])[0], rtol=0.05
    )


def test_an_empty_mask_tells_nothing():
    assert not topology_features([np.zeros((4, 3))]).any()
    assert np.isfinite(mask_features([np.zeros((4, 3), bool)])).all()
    assert len(set(MASK_FEATURES)) == len(MASK_FEATURES)


def test_a_mask_has_the_same_topology_alone_and_among_others():
    rng = np.random.default_rng(0)
    shapes = [(4, 3), (20, 30), (30, 7), (60, 50), (1, 9), (90, 200), (400, 300), (5, 5)]
    masks = [(rng.random(shape) < 0.2).astype(float) for shape in shapes]
    masks[-1][:] = 0
    together = topology_features(masks)
    for mask, found in zip(masks, together, strict=True):
        np.testing.assert_allclose(found, topology_features([mask])[0], atol=1e-9)
