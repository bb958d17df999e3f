"""The structure graph: what a predictor reads of a network, a function of its ONNX graph and non-zero pattern alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class StructureGraph:
    """Operators and their links after canonicalisation, with features.

    Attributes:
        operators: class of every node, int64 ``(nodes,)``, an index into `predictors.operators.CLASSES`.
        features: float32 ``(nodes, len(NODE_FEATURES))``.
        edges: int64 ``(2, edges)``, producer above consumer.
        summary: float32 ``(len(GRAPH_FEATURES),)``, features of the whole graph.
        unknown: operators that have no class of their own, ``domain::OpType``, sorted.
    """

    operators: NDArray[np.int64]
    features: NDArray[np.float32]
    edges: NDArray[np.int64]
    summary: NDArray[np.float32]
    unknown: tuple[str, ...] = ()
