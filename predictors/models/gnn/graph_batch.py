"""Several structure graphs as one disconnected graph, as graph networks read them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphBatch:
    """Several graphs in one set of arrays.

    Attributes:
        features: standardised node features, ``(nodes, node features)``.
        operators: class of every node, ``(nodes,)``.
        edges: edges without repetition, ``(2, edges)``: sources, then targets.
        owner: graph of every node, ``(nodes,)``, ascending.
        summary: standardised features of the whole graphs, ``(graphs, graph features)``.
        units: standardised features of the units, ``(units, unit features)``.
        unit_edges: edges between units, like `edges`.
        unit_owner: node of every unit, ``(units,)``; the number of nodes for units without a node.
    """

    features: Floats
    operators: Numbers
    edges: Numbers
    owner: Numbers
    summary: Floats
    units: Floats
    unit_edges: Numbers
    unit_owner: Numbers
