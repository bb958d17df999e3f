"""The structure graph: what a predictor reads of a network, a function of its ONNX graph and non-zero pattern alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

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

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The graph as named arrays for an npz file; nothing is pickled."""
        return {
            "operators": self.operators,
            "features": self.features,
            "edges": self.edges,
            "summary": self.summary,
            "unknown": np.array(self.unknown, dtype=np.str_),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """The graph that `arrays` came from; a `KeyError` where one is missing."""
        return cls(
            operators=arrays["operators"].astype(np.int64),
            features=arrays["features"].astype(np.float32),
            edges=arrays["edges"].astype(np.int64),
            summary=arrays["summary"].astype(np.float32),
            unknown=tuple(str(name) for name in arrays["unknown"]),
        )
