"""The structure graph: the input of a predictor, computed only from the ONNX graph and its pattern of non-zeros."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from predictors.origin import Origin
from predictors.paths.input_use import InputUse
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
        balance: `predictors.features.context.BALANCE_FEATURES`, float32; None in graphs that were not encoded from a model.
        inputs: how the network uses its input; None if it has several.
        relevance: relevance of the task's inputs for every unit of `inputs`, float32 ``(input units,)``; None if it is not known.
        origin: what is known about the mask and the weights; None if nothing is.
    """

    operators: NDArray[np.int64]
    features: NDArray[np.float32]
    edges: NDArray[np.int64]
    summary: NDArray[np.float32]
    unknown: tuple[str, ...] = ()
    units: UnitGraph | None = None
    task: NDArray[np.float64] | None = None
    balance: NDArray[np.float32] | None = None
    inputs: InputUse | None = None
    relevance: NDArray[np.float32] | None = None
    origin: Origin | None = None

    def on(self, task: TaskDescription | None) -> Self:
        """The same network, for a task."""
        if task is None:
            return replace(self, task=None, relevance=None)
        relevance = None if self.inputs is None else self.inputs.relevance(task.relevance)
        return replace(self, task=task.features(), relevance=relevance)

    def of_origin(self, origin: Origin | None) -> Self:
        """The same network, with what is known about its mask and its weights."""
        return replace(self, origin=origin)

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
        found |= {name: getattr(self, name) for name in _OPTIONAL if getattr(self, name) is not None}
        if self.inputs is not None:
            found |= {f"input_{name}": np.asarray(value) for name, value in vars(self.inputs).items()}
        if self.origin is not None:
            found["origin"] = np.array(json.dumps(vars(self.origin)))
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
            inputs=_inputs(arrays) if "input_edges" in arrays else None,
            origin=Origin(**json.loads(str(arrays["origin"]))) if "origin" in arrays else None,
            **{name: arrays[name].astype(kind) for name, kind in _OPTIONAL.items() if name in arrays},
        )


_OPTIONAL = {"task": np.float64, "balance": np.float32, "relevance": np.float32}


def _inputs(arrays: Mapping[str, NDArray[np.generic]]) -> InputUse:
    shape, axes = (tuple(int(size) for size in arrays[f"input_{name}"]) for name in ("shape", "axes"))
    edges, paths = (arrays[f"input_{name}"].astype(np.float32) for name in ("edges", "paths"))
    return InputUse(shape, axes, edges, paths)


def _units(arrays: Mapping[str, NDArray[np.generic]]) -> UnitGraph:
    return UnitGraph(
        owner=arrays["unit_owner"].astype(np.int32),
        features=arrays["unit_features"].astype(np.float32),
        edges=arrays["unit_edges"].astype(np.int32),
    )
