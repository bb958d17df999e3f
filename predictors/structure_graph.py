"""The structure graph: the input of a predictor, computed only from the ONNX graph and its pattern of non-zeros."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from predictors.paths.unit_graph import UnitGraph
from predictors.task_description import TaskDescription

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData


@dataclass(frozen=True, eq=False)
class StructureGraph:
    """The operators of a network and their connections after canonicalisation, with features.

    Attributes:
        operators: class of every node, int64 ``(nodes,)``, an index into `predictors.reading.operators.CLASSES`.
        features: features of every node, float32 ``(nodes, len(NODE_FEATURES))``.
        edges: edges, int64 ``(2, edges)``: first row producers, second row consumers.
        summary: features of the whole graph, float32 ``(len(GRAPH_FEATURES),)``.
        unknown: operators that have no class of their own, ``domain::OpType``, sorted.
        units: units inside the operators and their connections; None if there are none or too many.
        task: `predictors.task_description.TASK_FEATURES` of the network's task; None if it is not stated.
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

    def to_hetero_data(self) -> "HeteroData":
        """The graph for PyTorch Geometric, as copies: for its loaders, `to_hetero` and `HeteroConv`. Imports it, which takes seconds.

        Node types and their tensors:
            ``operator``: ``x`` float32 ``(operators, len(NODE_FEATURES))``, and ``kind`` int64 ``(operators,)``, an index into
            `predictors.reading.operators.CLASSES`.
            ``unit``: ``x`` float32 ``(units, len(UNIT_FEATURES))``; neurons and channels. No rows where `units` is None.
        Edge types, each ``edge_index`` int64 ``(2, edges)``:
            ``(operator, feeds, operator)``: producer, then consumer.
            ``(unit, feeds, unit)``: unmasked connections, source, then target.
            ``(unit, in, operator)``: unit, then its operator. A unit without an operator has no such edge.
        Tensors of the whole graph, which batches stack:
            ``summary`` float32 ``(1, len(GRAPH_FEATURES))``.
            ``task`` float32 ``(1, len(TASK_FEATURES))``; missing if `task` is None.

        The values are the same as in this class: not standardised; features whose name begins with ``log_`` are logarithms.
        """
        import torch
        from torch_geometric.data import HeteroData

        units = self.units or UnitGraph.without_units()
        owned = np.flatnonzero(units.owner >= 0)
        data = HeteroData()
        data["operator"].x = torch.tensor(self.features)
        data["operator"].kind = torch.tensor(self.operators)
        data["unit"].x = torch.tensor(units.features)
        data["operator", "feeds", "operator"].edge_index = torch.tensor(self.edges)
        data["unit", "feeds", "unit"].edge_index = torch.tensor(units.edges.astype(np.int64))
        data["unit", "in", "operator"].edge_index = torch.tensor(np.stack([owned, units.owner[owned].astype(np.int64)]))
        data.summary = torch.tensor(self.summary[None])
        if self.task is not None:
            data.task = torch.tensor(self.task[None].astype(np.float32))
        return data

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
        """The graph that `arrays` came from; raises `KeyError` if an array is missing."""
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
