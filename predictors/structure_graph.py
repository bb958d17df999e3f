"""The structure graph: what a predictor reads of a network, a function of its ONNX graph and non-zero pattern alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.paths.unit_graph import UnitGraph
from predictors.task_description import TaskDescription


@dataclass(frozen=True, eq=False)
class StructureGraph:
    """Operators and their links after canonicalisation, with features.

    Attributes:
        operators: class of every node, int64 ``(nodes,)``, an index into `predictors.reading.operators.CLASSES`.
        features: float32 ``(nodes, len(NODE_FEATURES))``.
        edges: int64 ``(2, edges)``, producer above consumer.
        summary: float32 ``(len(GRAPH_FEATURES),)``, features of the whole graph.
        unknown: operators that have no class of their own, ``domain::OpType``, sorted.
        units: the units inside the operators and their connections; None where there are too many, or none.
        task: `predictors.task_description.TASK_FEATURES` of the task that the network is for; None where it is not told.
    """

    operators: NDArray[np.int64]
    features: NDArray[np.float32]
    edges: NDArray[np.int64]
    summary: NDArray[np.float32]
    unknown: tuple[str, ...] = ()
    units: UnitGraph | None = None
    task: NDArray[np.float64] | None = None

    def on(self, task: TaskDescription | None) -> Self:
        """The same network, for a task."""
        return replace(self, task=None if task is None else task.features())

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The graph as named arrays for an npz file; nothing is pickled."""
        found: dict[str, NDArray[np.generic]] = {
            "operators": self.operators,
            "features": self.features,
            "edges": self.edges,
            "summary": self.summary,
            "unknown": np.array(self.unknown, dtype=np.str_),
        }
        if self.units is not None:
            found |= {f"unit_{name}": value for name, value in vars(self.units).items()}
        if self.task is not None:
            found["task"] = self.task
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """The graph that `arrays` came from; a `KeyError` where one is missing."""
        return cls(
            operators=arrays["operators"].astype(np.int64),
            features=arrays["features"].astype(np.float32),
            edges=arrays["edges"].astype(np.int64),
            summary=arrays["summary"].astype(np.float32),
            unknown=tuple(str(name) for name in arrays["unknown"]),
            units=_units(arrays) if "unit_owner" in arrays else None,
            task=arrays["task"].astype(np.float64) if "task" in arrays else None,
        )


def _units(arrays: Mapping[str, NDArray[np.generic]]) -> UnitGraph:
    return UnitGraph(
        owner=arrays["unit_owner"].astype(np.int32),
        features=arrays["unit_features"].astype(np.float32),
        edges=arrays["unit_edges"].astype(np.int32),
    )
