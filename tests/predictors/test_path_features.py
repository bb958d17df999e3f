"""Paths counted by brute force on small random graphs, and what contraction must not change."""

from itertools import pairwise

import numpy as np
import pytest

from predictors.features.path_features import PATH_FEATURES, TILTS, path_features
from predictors.paths.skeleton import LABELS, OPERATIONS, Skeleton, skeleton
from predictors.reading.operators import INDEX


def _random(seed: int, count: int = 9) -> Skeleton:
    """A random DAG from one first to one last node, with some repeated links."""
    rng = np.random.default_rng(seed)
    before: list[list[int]] = [[]]
    for node in range(1, count):
        chosen = (
            {node - 1, *rng.choice(node, size=min(node, 2)).tolist()}
            if rng.random() < 0.8
            else {int(rng.integers(node))}
        )
        before.append(sorted(chosen) + ([min(chosen)] if rng.random() < 0.3 else []))
    read = {source for sources in before for source in sources}
    loose = [node for node in range(count - 1) if node not in read]
    before[-1] = before[-1] + loose
    behind: list[list[int]] = [[] for _ in before]
    for node, sources in enumerate(before):
        for source in sources:
            behind[source].append(node)
    labels = rng.integers(len(LABELS), size=count).tolist()
    labels[0] = labels[-1] = len(LABELS) - 1
    return Skeleton(labels, before, behind)


def _paths(graph: Skeleton, node: int | None = None) -> list[list[int]]:
    node = len(graph.labels) - 1 if node is None else node
    if not graph.before[node]:
        return [[node]]
    return [[*path, node] for source in graph.before[node] for path in _paths(graph, source)]


@pytest.mark.parametrize("seed", range(6))
def test_they_are_those_of_all_ways_listed(seed):
    graph = _random(seed)
    paths = _paths(graph)
    counts = np.array(
        [[sum(graph.labels[node] == label for node in path[1:]) for label in range(OPERATIONS)] for path in paths]
    )
    told = dict(zip(PATH_FEATURES, path_features(graph), strict=True))
    assert told["way_least_window"] == pytest.approx(np.log1p(counts[:, 0].min()))
    assert told["way_most_window_pool"] == pytest.approx(np.log1p(counts[:, [0, 2]].sum(axis=1).max()))
    assert told["way_most_nodes"] == pytest.approx(np.log1p(max(len(path) - 1 for path in paths)))
    for tilt, weights in enumerate(TILTS):
        chance = np.exp(counts @ weights)
        assert told[f"way_log_number_{tilt}"] == pytest.approx(np.log(chance.sum()))
        mean = chance @ counts / chance.sum()
        assert told[f"way_mean_point_{tilt}"] == pytest.approx(mean[1])
        covariance = chance @ ((counts[:, 0] - mean[0]) * (counts[:, 1] - mean[1])) / chance.sum()
        expected = np.sign(covariance) * np.sqrt(abs(covariance))
        assert told[f"way_spread_window_point_{tilt}"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_sequences_are_those_of_a_way_drawn_at_random(seed):
    graph = _random(seed)
    paths = _paths(graph)
    told = dict(zip(PATH_FEATURES, path_features(graph), strict=True))
    rows = np.zeros((1 + OPERATIONS, OPERATIONS))
    for path in paths:
        last = 0
        for node in path[1:]:
            label = graph.labels[node]
            if label < OPERATIONS:
                rows[last, label] += 1 / len(paths)
                last = label + 1
    for place, before in enumerate(("start", *LABELS[:OPERATIONS])):
        for label in range(OPERATIONS):
            assert told[f"row_{before}_{LABELS[label]}"] == pytest.approx(np.log1p(rows[place, label]))
    passed = [
        np.mean([node in path for path in paths]) for node, label in enumerate(graph.labels) if label == 0 and node
    ]
    if passed:
        # A link that is there twice gives paths that pass the same nodes.
        assert told["passed_window_mean"] == pytest.approx(np.mean(passed))


def _skeleton(*names: str, edges: list[tuple[int, int]] | None = None) -> Skeleton:
    links = edges if edges is not None else list(pairwise(range(len(names))))
    return skeleton([INDEX[name] for name in names], [False] * len(names), list(zip(*links, strict=True)) or [(), ()])


def test_activations_and_normalisations_are_contracted():
    plain = _skeleton("input", "dense", "dense", "output")
    dressed = _skeleton("input", "batch_norm", "dense", "rectifier", "batch_norm", "dense", "output")
    np.testing.assert_array_equal(path_features(plain), path_features(dressed))


def test_a_chain_of_sums_is_one_sum():
    names = ("input", "dense", "dense", "dense")
    one = _skeleton(*names, "add", "output", edges=[(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4), (4, 5)])
    two = _skeleton(
        *names, "add", "add", "output", edges=[(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (4, 5), (3, 5), (5, 6)]
    )
    np.testing.assert_array_equal(path_features(one), path_features(two))


def test_the_features_without_size_are_the_same_for_a_network_twice_as_long():
    once = _skeleton("input", *["dense", "max_pool"] * 4, "output")
    twice = _skeleton("input", *["dense", "max_pool"] * 8, "output")
    told = [dict(zip(PATH_FEATURES, path_features(graph), strict=True)) for graph in (once, twice)]
    for name in ("share_most_point", "share_mean_pool_0", "share_of_point"):
        assert told[0][name] == pytest.approx(told[1][name], rel=0.15), name


def test_an_empty_graph_and_one_without_ways_are_told():
    assert not path_features(Skeleton([], [], [])).any()
    assert np.isfinite(path_features(_skeleton("input", "output", edges=[]))).all()
    assert len(set(PATH_FEATURES)) == len(PATH_FEATURES)


def test_ways_to_all_outputs_count():
    edges = [(0, 1), (1, 2), (2, 3), (1, 4)]
    two = _skeleton("input", "dense", "dense", "output", "output", edges=edges)
    told = dict(zip(PATH_FEATURES, path_features(two), strict=True))
    assert told["way_log_number_0"] == pytest.approx(np.log(2))
    assert np.expm1([told["way_least_point"], told["way_most_point"]]) == pytest.approx([1, 2])


def test_a_chain_of_two_way_sums_is_one_sum():
    count = 300
    names = ["input", *["dense"] * count, *["add"] * (count - 1), "output"]
    first = 1 + count
    edges = [(0, layer) for layer in range(1, first)] + [(1, first)]
    edges += [(2 + place, first + place) for place in range(count - 1)]
    edges += [(first + place, first + place + 1) for place in range(count - 1)]
    found = _skeleton(*names, edges=edges)
    assert len(found.labels) == 1 + count + 2
    assert sorted(found.before[-2]) == list(range(1, 1 + count))
