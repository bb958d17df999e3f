"""Layers from random graphs (Stier, Darji and Granitzer 2021, arXiv:2107.12917).

A Watts–Strogatz, Barabási–Albert or Erdős–Rényi graph is oriented into a directed acyclic graph by a random order of
its vertices. A vertex is a unit; its layer is the length of the longest path that ends in it. Edges between consecutive
layers are the kept connections of that layer's weight; edges that jump over layers are the connections of a skip weight.

The paper keeps every layer, which makes networks as deep as the graph's longest path. Here neighbouring layers are merged
until at most `depth` remain; edges inside a merged layer are dropped.

A ``theme`` (CT-NAS, same paper) is such a graph of few vertices grown to any size: vertex v becomes round(p_v · scale) units,
and all units of two joined vertices are joined.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search_spaces import genes
from search_spaces.errors import InvalidCandidateError
from search_spaces.masks.layer import Mask
from search_spaces.masks.theme import shares
from search_spaces.space import TrialLike

if TYPE_CHECKING:
    import networkx as nx

GRAPHS = ("watts-strogatz", "barabasi-albert", "erdos-renyi")
"""Families of graphs whose vertices are units."""
THEME = "theme"
FAMILIES = (*GRAPHS, THEME)
"""Families of graphs that can be put into layers."""
THEME_VERTICES = (4, 8)
THEME_DEGREE = (2, 3)


@dataclass(frozen=True)
class LayeredGraph:
    """A directed acyclic graph in layers.

    Attributes:
        widths: number of units of every layer, first to last.
        masks: edges as bool array ``(units of target, units of source)``, by (source layer, target layer), counted from 1.
        sinks: layers except the last that hold a unit without successor.
    """

    widths: tuple[int, ...]
    masks: dict[tuple[int, int], Mask]
    sinks: tuple[int, ...]

    @property
    def edges(self) -> int:
        """Number of edges."""
        return sum(int(mask.sum()) for mask in self.masks.values())


def draw(trial: TrialLike, family: str, vertices: tuple[int, int], degree: tuple[int, int], depth: int) -> LayeredGraph:
    """Ask a trial for the genes of a graph, then draw it; for a theme, `vertices` counts the units and `degree` is not used."""
    if family == THEME:
        return theme(
            vertices=genes.integer(trial, "theme_vertices", THEME_VERTICES),
            degree=genes.integer(trial, "theme_degree", THEME_DEGREE),
            scale=genes.integer(trial, "theme_units", vertices, log=True),
            depth=depth,
            seed=genes.seed(trial, "graph_seed"),
        )
    return layered(
        family,
        vertices=genes.integer(trial, "vertices", vertices, log=True),
        degree=genes.integer(trial, "degree", degree, step=2),
        rewire=trial.suggest_float("rewire", 0.0, 1.0) if family == "watts-strogatz" else 0.0,
        depth=depth,
        seed=genes.seed(trial, "graph_seed"),
    )


def affordable(family: str, budget: int, degree: int) -> int:
    """Most vertices of a graph (units of a theme) whose edges take about half of `budget`, for any other genes."""
    if family == THEME:
        # A theme of n vertices and mean degree d has n·d/2 blocks of (units/n)² edges, which is largest for the smallest n.
        return math.isqrt(budget * THEME_VERTICES[0] // THEME_DEGREE[1])
    return budget // degree


@lru_cache(maxsize=512)
def layered(family: str, *, vertices: int, degree: int, rewire: float, depth: int, seed: int) -> LayeredGraph:
    """Draw a graph and orient it; results are cached, since a candidate is opened several times while it is made.

    Args:
        family: one of `GRAPHS`.
        vertices: number of vertices.
        degree: wanted mean degree, in [2, vertices), preferably even.
        rewire: share of rewired edges, Watts–Strogatz only.
        depth: largest number of layers, at least 1.
        seed: seed of the graph and of the order of its vertices.

    Raises:
        InvalidCandidateError: such a graph does not exist.
    """
    order = np.random.default_rng(seed).random(vertices).argsort()
    pairs = order[_pairs(family, vertices, degree, rewire, seed)]
    pairs.sort(axis=1)
    level = _longest_paths(vertices, pairs)
    if level.max() > depth:
        level = (level - 1) * depth // level.max() + 1
        pairs = pairs[level[pairs[:, 0]] < level[pairs[:, 1]]]
        # A unit whose predecessors were all merged into its own layer is a source now: it moves to layer 1.
        level = _longest_paths(vertices, pairs)
    return _in_layers(level, pairs)


@lru_cache(maxsize=512)
def theme(*, vertices: int, degree: int, scale: int, depth: int, seed: int) -> LayeredGraph:
    """An Erdős–Rényi graph in layers, grown to about `scale` units; the other arguments and the errors are as in `layered`."""
    graph = layered("erdos-renyi", vertices=vertices, degree=degree, rewire=0.0, depth=depth, seed=seed)
    # Not the stream of `layered`: there the same numbers are the order of the vertices.
    return grown(graph, shares(vertices, np.random.default_rng((seed, 1))), scale)


def grown(graph: LayeredGraph, parts: NDArray[np.float64], scale: int) -> LayeredGraph:
    """The graph with round(p_v · scale) units (at least one) for every vertex v; an edge joins all units of its two vertices.

    Args:
        graph: the theme.
        parts: p_v, float ``(vertices,)``, in the order of the layers and of the vertices in them.
        scale: number of units of all vertices together, except for rounding.
    """
    units = np.maximum(1, np.rint(parts * scale).astype(np.int64))
    layers = np.split(units, np.cumsum(graph.widths)[:-1])
    masks = {
        (source, target): mask.repeat(layers[target - 1], axis=0).repeat(layers[source - 1], axis=1)
        for (source, target), mask in graph.masks.items()
    }
    return LayeredGraph(tuple(int(layer.sum()) for layer in layers), masks, graph.sinks)


def adjacency(family: str, *, vertices: int, degree: int, rewire: float, seed: int) -> Mask:
    """Symmetric adjacency matrix of a graph, not oriented; arguments and errors as in `layered`."""
    pairs = _pairs(family, vertices, degree, rewire, seed)
    matrix = np.zeros((vertices, vertices), dtype=np.bool_)
    matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = True
    return matrix


def _pairs(family: str, vertices: int, degree: int, rewire: float, seed: int) -> NDArray[np.int64]:
    """Edges as int array ``(edges, 2)``."""
    if not 2 <= degree < vertices:
        raise InvalidCandidateError(
            f"no graph of {vertices} vertices has degree {degree}; the degree must be in [2, vertices)"
        )
    return np.array(list(_graph(family, vertices, degree, rewire, seed).edges()), dtype=np.int64).reshape(-1, 2)


def _graph(family: str, vertices: int, degree: int, rewire: float, seed: int) -> "nx.Graph[int]":
    import networkx as nx

    if family == "watts-strogatz":
        return nx.watts_strogatz_graph(vertices, degree, rewire, seed=seed)
    if family == "barabasi-albert":
        return nx.barabasi_albert_graph(vertices, max(1, degree // 2), seed=seed)
    if family == "erdos-renyi":
        return nx.gnm_random_graph(vertices, vertices * degree // 2, seed=seed)
    raise InvalidCandidateError(f"unknown graph family {family!r}; known: {', '.join(GRAPHS)}")


def _longest_paths(vertices: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of vertices on the longest path that ends in each vertex; every pair goes from a lower to a higher vertex."""
    predecessors: list[list[int]] = [[] for _ in range(vertices)]
    for source, target in pairs.tolist():
        predecessors[target].append(source)
    level: list[int] = []
    for sources in predecessors:
        level.append(1 + max((level[source] for source in sources), default=0))
    return np.array(level, dtype=np.int64)


def _in_layers(level: NDArray[np.int64], pairs: NDArray[np.int64]) -> LayeredGraph:
    widths = np.bincount(level)[1:]
    position = np.zeros(len(level), dtype=np.int64)
    for number in range(1, len(widths) + 1):
        position[level == number] = np.arange(widths[number - 1])
    masks: dict[tuple[int, int], Mask] = {}
    for source, target in pairs.tolist():
        key = (int(level[source]), int(level[target]))
        if key not in masks:
            masks[key] = np.zeros((widths[key[1] - 1], widths[key[0] - 1]), dtype=np.bool_)
        masks[key][position[target], position[source]] = True
    without_successor = np.setdiff1d(np.arange(len(level)), pairs[:, 0])
    sinks = {int(number) for number in level[without_successor]} - {len(widths)}
    return LayeredGraph(tuple(widths.tolist()), dict(sorted(masks.items())), tuple(sorted(sinks)))
