"""Watts–Strogatz pattern: a small world between units (Watts, Strogatz 1998, Nature 393; in networks: arXiv:2107.12917).

Every out unit is joined to the in units nearest to it on a ring, then each of its edges is moved with probability `p` to
a random in unit that it is not joined to. The recurrent layer's ring is that of the hidden units, and a unit is no
neighbour of its own unless there is no other place left. Differs from `networkx.watts_strogatz_graph` in that edges are
directed, that their number is free (a random few units have one more) and that all of a unit's edges move at once.
"""

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks.graph_mask import place_on_units
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import is_number, require
from search_spaces.masks.placement import unit_degrees


def watts_strogatz(layer: MaskLayer, nnz: int, rng: np.random.Generator, *, p: float = 0.1) -> Mask:
    """A small world of `nnz` connections; the degrees of the out units differ by one at most.

    Args:
        layer: the weight.
        nnz: connections.
        rng: draws. With p = 0 it only chooses which units have one connection more.
        p: chance of an edge to be rewired, in [0, 1].
    """
    require(is_number(p) and 0 <= p <= 1, "option 'p' of pattern 'watts-strogatz'", p, "a number from 0 to 1")
    loops = layer.kind != "recurrent"

    def graph(out: int, inputs: int, edges: int, rng: np.random.Generator) -> Mask:
        return small_world(out, inputs, edges, rng, p=p, loops=loops)

    return place_on_units(graph, layer, nnz, rng)


def small_world(out: int, inputs: int, edges: int, rng: np.random.Generator, *, p: float, loops: bool) -> Mask:
    """The graph, bool ``(out, in)``; without `loops` the diagonal comes last."""
    degrees = unit_degrees(out, edges, rng)[:, np.newaxis]
    keys = rng.random((out, inputs))
    rewired = rng.random((out, inputs)) < p
    lattice = nearness(out, inputs, loops=loops) < degrees
    # Per row, the smallest keys stay: edges that are not rewired, then random new places, then the places just left.
    keys[lattice] = np.where(rewired, 1 + keys, -1.0)[lattice]
    if not loops:
        keys[np.diag_indices(out)] = 3.0
    mask = np.zeros((out, inputs), dtype=np.bool_)
    np.put_along_axis(mask, keys.argsort(axis=1), np.arange(inputs) < degrees, axis=1)
    return mask


def nearness(out: int, inputs: int, *, loops: bool) -> NDArray[np.int64]:
    """Rank of every in unit by ring distance from every out unit, int ``(out, in)``; without `loops` itself is last."""
    distance = np.arange(inputs)
    rank = np.where(distance <= inputs // 2, 2 * distance - 1, 2 * (inputs - distance))
    rank[0] = 0
    if not loops:
        rank = (rank - 1) % inputs
    places = (2 * np.arange(out) + 1) * inputs // (2 * out)
    nearest: NDArray[np.int64] = rank[(distance - places[:, np.newaxis]) % inputs]
    return nearest
