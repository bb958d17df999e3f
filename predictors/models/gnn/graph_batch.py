"""Several structure graphs as one disconnected graph, as graph networks read them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphBatch:
    """The graphs below one another.

    Attributes:
        features: standardised, ``(nodes, node features)``.
        operators: class of every node, ``(nodes,)``.
        edges: without repetition, source above target, ``(2, edges)``.
        owner: graph of every node, ``(nodes,)``, growing.
        summary: standardised, ``(graphs, graph features)``.
        units: standardised features of the units, ``(units, unit features)``.
        unit_edges: as `edges`, of units.
        unit_owner: node of every unit, ``(units,)``; one past the last node for units of no node.
    """

    features: Floats
    operators: Numbers
    edges: Numbers
    owner: Numbers
    summary: Floats
    units: Floats
    unit_edges: Numbers
    unit_owner: Numbers
