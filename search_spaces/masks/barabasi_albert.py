"""Barabási–Albert pattern: preferential attachment, a few hubs and many units of low degree.

Barabási, Albert 1999, Science 286; in networks: arXiv:2107.12917. A recurrent layer has the graph of
`networkx.barabasi_albert_graph` grown from a complete graph, every edge in both directions. Between layers in units come
one after the other, as the nodes do there: half of their edges they bring, to random out units; the other half they
attract from then on, in proportion to their degree. Degrees of the out units are kept alike.
"""

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks.expander import near_regular
from search_spaces.masks.graph_mask import UnitGraph, place_on_units
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.streams import permutation


def barabasi_albert(layer: MaskLayer, nnz: int, rng: np.random.Generator) -> Mask:
    """A scale-free graph of `nnz` connections.

    Between layers the degrees of the in units are heavy-tailed, each ≥ 1 where `nnz` allows, and those of the out units
    differ by one at most. In a recurrent layer both are heavy-tailed and, but for one edge if `nnz` is odd, equal.
    """
    graph: UnitGraph = hidden_hubs if layer.kind == "recurrent" else input_hubs
    return place_on_units(graph, layer, nnz, rng)


def input_hubs(out: int, inputs: int, edges: int, rng: np.random.Generator) -> Mask:
    """The bipartite graph, bool ``(out, in)``."""
    mask = near_regular(out, inputs, min(edges, max(inputs, edges // 2)), rng)
    brought, weights = mask.sum(axis=1), mask.sum(axis=0).astype(np.float64)
    each, more = divmod(edges, out)
    # The larger degrees go to those that have more already, else a unit could be past its degree.
    degrees = each + ((rng.random(out) - brought).argsort().argsort() < more)
    # In units there at each step: at a constant rate, and never fewer than the step's edges need.
    known = np.maximum(-(-inputs * np.arange(1, out + 1) // out), degrees).tolist()
    chances = _exponential((out, inputs), rng)
    chances[mask] = np.inf
    for row, degree in enumerate((degrees - brought).tolist()):
        if degree:
            chosen = _attach(chances[row], weights, known[row], degree)
            weights[chosen] += 1.0
            mask[row, chosen] = True
    return mask[permutation(out, rng)[:, np.newaxis], permutation(inputs, rng)]


def hidden_hubs(hidden: int, inputs: int, edges: int, rng: np.random.Generator) -> Mask:
    """The graph on hidden units, bool ``(hidden, hidden)``, symmetric; the diagonal comes last."""
    loops = max(0, edges - hidden * (hidden - 1))
    pairs = (edges - loops + 1) // 2
    attached, least = _attachments(hidden, pairs, rng)
    chances = _exponential((hidden, hidden), rng)
    weights = np.full(hidden, 0.0 if least else 1.0)  # with fewer edges than units some have none, yet may be chosen
    mask = np.zeros((hidden, hidden), dtype=np.bool_)
    for unit, degree in enumerate(attached):
        if degree:
            chosen = _attach(chances[unit], weights, unit, degree)
            weights[chosen] += 1.0
            weights[unit] += degree
            mask[unit, chosen] = True
    if 2 * pairs > edges - loops:
        single = np.argwhere(mask)[int(rng.random() * pairs)]
        mask |= mask.T
        mask[tuple(single)] = False
    else:
        mask |= mask.T
    mask[np.diag_indices(hidden)] = rng.random(hidden).argsort().argsort() < loops
    order = permutation(hidden, rng)
    return mask[order[:, np.newaxis], order]


def _attachments(units: int, pairs: int, rng: np.random.Generator) -> tuple[list[int], int]:
    """Edges that every unit brings as it comes, and m: unit t brings min(m, t), a random few of t > m one more."""
    least = 0
    while least < units - 1 and (least + 1) * least // 2 + (least + 1) * (units - least - 1) <= pairs:
        least += 1
    brought = np.minimum(np.arange(units), least)
    later = units - least - 1
    brought[least + 1 :][permutation(later, rng)[: pairs - int(brought.sum())]] += 1
    return brought.tolist(), least


def _attach(chances: NDArray[np.float64], weights: NDArray[np.float64], known: int, degree: int) -> NDArray[np.int64]:
    """`degree` of the first `known` units, drawn one by one in proportion to their weights without replacement."""
    if degree == known:
        return np.arange(known)
    # Exponential times over weights come in that order (Efraimidis, Spirakis 2006).
    return (chances[:known] / weights[:known]).argpartition(degree - 1)[:degree]


def _exponential(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    return -np.log1p(-rng.random(shape))
