"""Erdős–Rényi pattern: a uniformly random graph of so many edges between units, G(n, m) (Erdős, Rényi 1959).

In dense layers the same as `random`. It differs in convolutions, where an edge is a whole kernel and not a single entry,
and in recurrent layers, where the graph has no loops, as networkx' has none.
"""

import numpy as np

from search_spaces.masks.graph_mask import place_on_units
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.placement import keep_smallest


def erdos_renyi_graph(layer: MaskLayer, nnz: int, rng: np.random.Generator) -> Mask:
    """`nnz` connections on random edges; in a recurrent layer a unit's edge to itself comes last."""

    def graph(out: int, inputs: int, edges: int, rng: np.random.Generator) -> Mask:
        keys = rng.random((out, inputs))
        if layer.kind == "recurrent":
            keys[np.diag_indices(out)] += 1.0
        return keep_smallest(keys, edges)

    return place_on_units(graph, layer, nnz, rng)
