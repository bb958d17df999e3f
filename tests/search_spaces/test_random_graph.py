"""Random graphs as layers: degrees of networkx, acyclic, layers tight, depth bounded."""

import networkx as nx
import numpy as np
import pytest

from search_spaces import InvalidCandidateError, random_graph
from search_spaces.random_graph import LayeredGraph

ARGUMENTS = {"vertices": 24, "degree": 4, "rewire": 0.3, "seed": 5}


@pytest.mark.parametrize("family", random_graph.GRAPHS)
def test_adjacency_has_the_degrees_of_networkx(family):
    graph = {
        "watts-strogatz": nx.watts_strogatz_graph(24, 4, 0.3, seed=5),
        "barabasi-albert": nx.barabasi_albert_graph(24, 2, seed=5),
        "erdos-renyi": nx.gnm_random_graph(24, 48, seed=5),
    }[family]
    matrix = random_graph.adjacency(family, **ARGUMENTS)
    assert matrix.sum(axis=1).tolist() == [degree for _, degree in sorted(graph.degree())]
    assert (matrix == matrix.T).all()


@pytest.mark.parametrize("family", random_graph.GRAPHS)
def test_layers_have_the_degrees_of_networkx(family):
    # Deep enough that nothing is merged: a unit's edges in and out are those of its vertex.
    graph = random_graph.layered(family, depth=24, **ARGUMENTS)
    degrees = [np.zeros(width, dtype=int) for width in graph.widths]
    for (source, target), mask in graph.masks.items():
        degrees[target - 1] += mask.sum(axis=1)
        degrees[source - 1] += mask.sum(axis=0)
    expected = random_graph.adjacency(family, **ARGUMENTS).sum(axis=1)
    assert sorted(np.concatenate(degrees)) == sorted(expected)


@pytest.mark.parametrize("family", random_graph.GRAPHS)
def test_layers_are_those_of_the_longest_path(family):
    # Deep enough that nothing is merged: every edge is kept, every unit behind layer 1 has a source right before it.
    graph = random_graph.layered(family, depth=24, **ARGUMENTS)
    assert graph.edges == random_graph.adjacency(family, **ARGUMENTS).sum() // 2
    assert sum(graph.widths) == 24
    for layer in range(2, len(graph.widths) + 1):
        assert graph.masks[layer - 1, layer].any(axis=1).all()


@pytest.mark.parametrize("family", random_graph.GRAPHS)
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_depth_is_bounded(family, depth):
    graph = random_graph.layered(family, depth=depth, **ARGUMENTS)
    assert len(graph.widths) <= depth
    assert sum(graph.widths) == 24
    assert all(source < target for source, target in graph.masks)
    for layer in range(2, len(graph.widths) + 1):
        assert graph.masks[layer - 1, layer].any(axis=1).all()


def test_sinks_are_layers_with_a_unit_that_feeds_nothing():
    graph = random_graph.layered("erdos-renyi", depth=4, **ARGUMENTS)
    for layer in range(1, len(graph.widths)):
        feeds = np.zeros(graph.widths[layer - 1], dtype=bool)
        for (source, _), mask in graph.masks.items():
            feeds |= mask.any(axis=0) if source == layer else False
        assert (layer in graph.sinks) == (not feeds.all())


def test_path_of_four_units():
    level = random_graph._longest_paths(4, np.array([[0, 1], [0, 2], [1, 3], [0, 3]]))
    assert level.tolist() == [1, 2, 2, 3]


def test_seed_and_rewiring_change_the_graph():
    first = random_graph.adjacency("watts-strogatz", **ARGUMENTS)
    assert (first != random_graph.adjacency("watts-strogatz", **{**ARGUMENTS, "seed": 6})).any()
    assert (first != random_graph.adjacency("watts-strogatz", **{**ARGUMENTS, "rewire": 0.9})).any()


def test_impossible_graphs_are_refused():
    with pytest.raises(InvalidCandidateError, match="degree 24"):
        random_graph.adjacency("erdos-renyi", **{**ARGUMENTS, "degree": 24})
    with pytest.raises(InvalidCandidateError, match="'star'"):
        random_graph.adjacency("star", **ARGUMENTS)


def test_grown_theme_joins_whole_groups():
    # Vertices a and b feed c, and a feeds d; c feeds d. Of 10 units they are 2, 3, 4 and 1.
    edges = {(1, 2): np.array([[True, True]]), (1, 3): np.array([[True, False]]), (2, 3): np.array([[True]])}
    graph = random_graph.grown(LayeredGraph((2, 1, 1), edges, (1,)), np.array([0.2, 0.3, 0.4, 0.1]), 10)
    assert graph.widths == (5, 4, 1)
    assert graph.masks[1, 2].tolist() == [[True] * 5] * 4
    assert graph.masks[1, 3].tolist() == [[True, True, False, False, False]]
    assert graph.masks[2, 3].tolist() == [[True] * 4]
    assert graph.sinks == (1,)


def test_every_vertex_of_a_theme_keeps_a_unit():
    graph = random_graph.grown(LayeredGraph((1, 1), {(1, 2): np.array([[True]])}, ()), np.array([0.01, 0.99]), 10)
    assert graph.widths == (1, 10)


def test_a_theme_is_one_graph_at_any_size():
    small, large = (random_graph.theme(vertices=6, degree=3, scale=scale, depth=4, seed=2) for scale in (12, 120))
    assert list(small.masks) == list(large.masks)
    assert small.sinks == large.sinks
    assert sum(small.widths) == pytest.approx(12, abs=3)
    assert sum(large.widths) == pytest.approx(120, abs=3)
    for key, mask in large.masks.items():
        # Whole blocks: as many kinds of rows as the theme has vertices in that layer, at most.
        assert len({row.tobytes() for row in mask}) <= 6
        assert mask.mean() == pytest.approx(small.masks[key].mean(), abs=0.2)


def test_seed_changes_the_theme_and_its_sizes():
    arguments = {"vertices": 6, "degree": 3, "scale": 60, "depth": 4}
    widths = {random_graph.theme(seed=seed, **arguments).widths for seed in range(5)}
    assert len(widths) == 5


def test_affordable_graphs_take_half_the_budget():
    # 100 vertices of degree 6 have 300 edges. The densest theme of 28 units: 4 vertices of 7, 6 blocks of 49 edges.
    assert random_graph.affordable("erdos-renyi", 600, 6) == 100
    assert random_graph.affordable("theme", 600, 6) == 28
