"""Random graphs as layers: degrees of networkx, acyclic, layers tight, depth bounded."""

import networkx as nx
import numpy as np
import pytest

from search_spaces import InvalidCandidateError, random_graph

ARGUMENTS = {"vertices": 24, "degree": 4, "rewire": 0.3, "seed": 5}


@pytest.mark.parametrize("family", random_graph.FAMILIES)
def test_adjacency_has_the_degrees_of_networkx(family):
    graph = {
        "watts-strogatz": nx.watts_strogatz_graph(24, 4, 0.3, seed=5),
        "barabasi-albert": nx.barabasi_albert_graph(24, 2, seed=5),
        "erdos-renyi": nx.gnm_random_graph(24, 48, seed=5),
    }[family]
    matrix = random_graph.adjacency(family, **ARGUMENTS)
    assert matrix.sum(axis=1).tolist() == [degree for _, degree in sorted(graph.degree())]
    assert (matrix == matrix.T).all()


@pytest.mark.parametrize("family", random_graph.FAMILIES)
def test_layers_are_those_of_the_longest_path(family):
    # Deep enough that nothing is merged: every edge is kept, every unit behind layer 1 has a source right before it.
    graph = random_graph.layered(family, depth=24, **ARGUMENTS)
    assert graph.edges == random_graph.adjacency(family, **ARGUMENTS).sum() // 2
    assert sum(graph.widths) == 24
    for layer in range(2, len(graph.widths) + 1):
        assert graph.masks[layer - 1, layer].any(axis=1).all()


@pytest.mark.parametrize("family", random_graph.FAMILIES)
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
