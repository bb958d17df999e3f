"""Two-level graph network on the structure graph: a small ensemble that reads operators, units, links and masks together.

Each member leaves out its own part of the training networks. The std combines the errors on these left-out networks with the
disagreement of the members. An ensemble of several predictors uses the left-out predictions to weight the graph network.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from onnx_graph.internals import limit_this_thread
from predictors.errors import InvalidPredictorError
from predictors.features.architecture import folds
from predictors.features.matrix import CLASSES, NODE_FEATURES, SUMMARY_FEATURES, first_columns, node_table, summaries
from predictors.models.gnn.graph_batch import GraphBatch
from predictors.models.gnn.network_members import NetworkMembers, Parameters
from predictors.models.gnn.network_sizes import NetworkSizes, parameter_shapes
from predictors.models.target_predictor import Scores, TargetPredictor
from predictors.paths.unit_graph import UNIT_FEATURES, UnitGraph
from predictors.state import array, number, positive, require_fitted
from predictors.structure_graph import StructureGraph

if TYPE_CHECKING:
    from predictors.models.gnn.message_passing import StructureNetwork

CLIP = 4.0  # standard deviations: limits the influence of a network far from all training networks
CHUNK = 16  # graphs evaluated at once
WORKERS = 2
NO_UNITS = UnitGraph.without_units()


@dataclass(frozen=True, kw_only=True)
class GNNOptions:
    """Size of the graph network and of its training.

    Attributes:
        members: number of networks in the ensemble, ≥ 1.
        hidden, unit_hidden: width of the state of a node and of a unit, ≥ 1.
        layers, unit_layers: rounds of message passing among nodes (≥ 1) and among units (≥ 0).
        steps: least number of optimiser steps, ≥ 1.
        epochs: least number of passes over the training networks, unless this needs more than `most_steps`.
        most_steps: largest number of optimiser steps.
        batch_size: networks per step, ≥ 2.
        learning_rate: peak learning rate, > 0.
        weight_decay: decoupled weight decay, ≥ 0.
        dropout: share of units dropped in training, in [0, 1).
    """

    members: int = 5
    hidden: int = 64
    layers: int = 3
    unit_hidden: int = 16
    unit_layers: int = 2
    steps: int = 200
    epochs: int = 60
    most_steps: int = 2000
    batch_size: int = 16
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse values that no network can have."""
        sizes = (self.members, self.hidden, self.layers, self.unit_hidden, self.steps, self.epochs, self.most_steps)
        if min(sizes) < 1 or self.unit_layers < 0 or self.batch_size < 2:
            raise ValueError(f"sizes and steps must be ≥ 1, unit_layers ≥ 0 and batch_size ≥ 2, got {self}")
        if not self.learning_rate > 0 or self.weight_decay < 0 or not 0 <= self.dropout < 1:
            raise ValueError(f"need learning_rate > 0, weight_decay ≥ 0 and dropout in [0, 1), got {self}")

    def steps_for(self, batches: int) -> int:
        """Number of optimiser steps for a number of batches per epoch."""
        return max(self.steps, min(self.epochs * batches, self.most_steps))


@dataclass(frozen=True, eq=False, kw_only=True)
class Scaling:
    """Centre and spread of the features of nodes, graphs and units and of the targets, each from the training networks."""

    node_centre: NDArray[np.float32]
    node_spread: NDArray[np.float32]
    graph_centre: NDArray[np.float32]
    graph_spread: NDArray[np.float32]
    unit_centre: NDArray[np.float32]
    unit_spread: NDArray[np.float32]
    target_centre: float
    target_spread: float
    noise: float
    training_graphs: int


class GNNPredictor(TargetPredictor):
    """Ensemble of `predictors.models.gnn.message_passing.StructureNetwork`."""

    name = "gnn"

    def __init__(self, options: GNNOptions = GNNOptions()) -> None:
        """Not fitted yet."""
        self.options = options
        self._scaling: Scaling | None = None
        self._members: NetworkMembers | None = None

    def _learn(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> None:
        """Train the members, each on one thread; the same seed gives the same ensemble."""
        self.fit_folds(graphs, targets, _folds(graphs, self.options.members, seed), seed)

    def _learn_left_out(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> Scores:
        fold_of = _folds(graphs, self.options.members, seed)
        said = self.fit_folds(graphs, targets, fold_of, seed)
        known = np.where(np.isin(fold_of, range(self.options.members)), said, np.nan)
        return Scores(known, self.predict_targets(graphs).std)

    def fit_folds(
        self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], folds: NDArray[np.int64], seed: int = 0
    ) -> NDArray[np.float64]:
        """Like `fit_targets`; returns, for every network, the prediction of the member that did not see it, ``(networks,)``.

        `folds` ``(networks,)`` is the number of the member that leaves a network out; the result is 0 for a network that no
        member leaves out.
        """
        scaling = self._new_scaling(graphs, targets)
        scaled = (targets - scaling.target_centre) / scaling.target_spread

        def member(place: int) -> Parameters:
            rows = np.flatnonzero(folds != place)
            return self._train([graphs[row] for row in rows.tolist()], scaled[rows], scaling, [seed, place])

        with ThreadPoolExecutor(WORKERS, initializer=_compute_on_one_thread) as pool:
            parameters = list(pool.map(member, range(self.options.members)))
        left_out = np.zeros(len(graphs))
        for place, one in enumerate(parameters):
            held = np.flatnonzero(folds == place)
            left_out[held] = _said(NetworkMembers([one]), [graphs[row] for row in held.tolist()], scaling)[0]
        seen = np.isin(folds, range(self.options.members))
        noise = float(np.sqrt(np.mean((left_out - scaled)[seen] ** 2))) if seen.any() else 1.0
        self._members = NetworkMembers(parameters)
        self._scaling = replace(scaling, noise=noise)
        return left_out * scaling.target_spread + scaling.target_centre

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Mean of the members; the std combines their disagreement and the left-out error."""
        scaling = require_fitted(self._scaling, self.name)
        said = _said(require_fitted(self._members, self.name), graphs, scaling)
        std = np.sqrt(said.var(axis=0) + scaling.noise**2)
        return Scores(said.mean(axis=0) * scaling.target_spread + scaling.target_centre, std * scaling.target_spread)

    def _state(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `Scaling`, the sizes ``()``, and ``member<i>.<parameter>``."""
        scaling = require_fitted(self._scaling, self.name)
        found: dict[str, NDArray[np.generic]] = {name: np.asarray(value) for name, value in vars(scaling).items()}
        found |= {name: np.asarray(getattr(self.options, name)) for name in _SIZES}
        members = require_fitted(self._members, self.name)
        for place in range(len(members)):
            found |= {f"member{place}.{name}": value for name, value in members.parameters(place).items()}
        return found

    @classmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        sizes = {name: int(number(arrays, name, low=0)) for name in _SIZES}
        _require_sizes(arrays, sizes)
        predictor = cls(GNNOptions(**sizes))
        predictor._scaling = _scaling_from(arrays)
        shapes = parameter_shapes(predictor._sizes(predictor._scaling))
        members = [f"member{place}." for place in range(sizes["members"])]
        known = {f"{member}{name}" for member in members for name in shapes}
        strange = [name for name in arrays if name.startswith("member") and "." in name and name not in known]
        if strange:
            raise InvalidPredictorError(f"saved graph network has the unknown parameter {strange[0]!r}")
        predictor._members = NetworkMembers(
            [
                {name: array(arrays, member + name, "f", shape).astype(np.float32) for name, shape in shapes.items()}
                for member in members
            ]
        )
        return predictor

    def _new_scaling(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64]) -> Scaling:
        return _scaling(graphs, targets)

    def _network(self, seed: int, scaling: Scaling) -> "StructureNetwork":
        from predictors.models.gnn.message_passing import StructureNetwork

        return StructureNetwork(self._sizes(scaling), seed, dropout=self.options.dropout)

    def _sizes(self, scaling: Scaling) -> NetworkSizes:
        sizes = {name: getattr(self.options, name) for name in _SIZES if name != "members"}
        return NetworkSizes(
            classes=len(CLASSES),
            node_features=len(NODE_FEATURES),
            graph_features=len(scaling.graph_centre),
            unit_features=len(scaling.unit_centre),
            **sizes,
        )

    def _train(
        self,
        graphs: Sequence[StructureGraph],
        targets: NDArray[np.float64],
        scaling: Scaling,
        seeds: list[int],
    ) -> Parameters:
        """Parameters of one member."""
        import torch

        from predictors.models.gnn.message_passing import Batch, state_arrays, train_network

        options, rng = self.options, np.random.default_rng(seeds)
        order = rng.permutation(len(graphs))
        parts = np.array_split(order, max(1, round(len(order) / options.batch_size)))
        batches = [
            (
                Batch.of(_batch([graphs[row] for row in part], scaling)),
                torch.from_numpy(targets[part].astype(np.float32)),
            )
            for part in parts
        ]
        network = self._network(int(rng.integers(2**31)), scaling)
        train_network(
            network,
            batches,
            steps=options.steps_for(len(batches)),
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            rng=rng,
        )
        return state_arrays(network)


def _require_sizes(arrays: dict[str, NDArray[np.generic]], sizes: dict[str, int]) -> None:
    """Refuse sizes that differ from the saved parameters, before they determine how many parameters are searched for."""
    array(arrays, "member0.nodes.weight", "f", (sizes["hidden"], len(NODE_FEATURES)))
    units = array(arrays, "unit_centre", "f", (None,)).shape[0]
    array(arrays, "member0.units.weight", "f", (sizes["unit_hidden"], units))
    for part, count in (("rounds", sizes["layers"]), ("unit_rounds", sizes["unit_layers"])):
        found = sum(key.startswith(f"member0.{part}.norms.") and key.endswith(".weight") for key in arrays)
        if found != count:
            raise InvalidPredictorError(f"saved graph network does not fit: {found} {part}, not {count}")
    members = len({key.partition(".")[0] for key in arrays if key.startswith("member") and "." in key})
    if members != sizes["members"]:
        raise InvalidPredictorError(f"saved graph network does not fit: {members} members, not {sizes['members']}")


UNIT_COLUMNS = (*UNIT_FEATURES, "relevance")
"""Features of a unit that the network reads."""
IS_INPUT = UNIT_FEATURES.index("is_input")
_SIZES = ("members", "hidden", "layers", "unit_hidden", "unit_layers")


def _compute_on_one_thread() -> None:
    """Limit the calling thread of a pool to one CPU thread until it ends: networks of this size do not gain from more threads."""
    import torch

    torch.get_num_threads()  # sets the number for a new thread, which the limit then replaces
    limit_this_thread(1)


def _folds(graphs: Sequence[StructureGraph], members: int, seed: int) -> NDArray[np.int64]:
    """The number of the member that leaves a network out; a single member leaves out a tenth of the networks."""
    return folds(graphs, 10 if members == 1 else members, np.random.default_rng([seed, members]))


def _said(members: NetworkMembers, graphs: Sequence[StructureGraph], scaling: Scaling) -> NDArray[np.float64]:
    """Prediction of every member for every graph, ``(members, graphs)``."""
    parts = (graphs[start : start + CHUNK] for start in range(0, len(graphs), CHUNK))
    return np.concatenate([np.zeros((len(members), 0)), *(members(_batch(part, scaling)) for part in parts)], axis=1)


def _scaling(graphs: Sequence[StructureGraph], targets: NDArray[np.float64]) -> Scaling:
    spread = float(targets.std())
    centres: dict[str, NDArray[np.float32]] = {}
    tables: dict[str, NDArray[np.floating]] = {
        "node": node_table(graphs)[0],
        "graph": summaries(graphs),
        "unit": _units(graphs)[0],
    }
    for name, table in tables.items():
        values = table.astype(np.float64)
        centres[f"{name}_centre"] = (values.mean(axis=0) if len(values) else np.zeros(table.shape[1])).astype(
            np.float32
        )
        centres[f"{name}_spread"] = _spread(values)
    return Scaling(
        **centres,
        target_centre=float(targets.mean()),
        target_spread=spread if spread > 1e-9 else 1e-9,
        noise=0.0,
        training_graphs=len(graphs),
    )


def _spread(table: NDArray[np.float64]) -> NDArray[np.float32]:
    """Standard deviations; huge for a feature that never varies, so that the scaled feature is 0."""
    if not len(table):
        return np.ones(table.shape[1], np.float32)
    spread = table.std(axis=0)
    return np.where(spread > 1e-6 * np.maximum(1.0, np.abs(table.mean(axis=0))), spread, 1e30).astype(np.float32)


def _scaling_from(arrays: dict[str, NDArray[np.generic]]) -> Scaling:
    graph, unit = (array(arrays, f"{name}_centre", "f", (None,)).shape[0] for name in ("graph", "unit"))
    if unit not in (len(UNIT_COLUMNS), len(UNIT_FEATURES)):
        raise InvalidPredictorError(f"saved graph network is damaged: it reads {unit} features of units")
    first_columns(graph, len(SUMMARY_FEATURES), "graph network")
    widths = {"node": len(NODE_FEATURES), "graph": graph, "unit": unit}
    return Scaling(
        **{
            **{
                f"{name}_centre": array(arrays, f"{name}_centre", "f", (width,)).astype(np.float32)
                for name, width in widths.items()
            },
            **{
                f"{name}_spread": positive(arrays, f"{name}_spread", (width,)).astype(np.float32)
                for name, width in widths.items()
            },
        },
        target_centre=number(arrays, "target_centre"),
        target_spread=number(arrays, "target_spread", low=0.0),
        noise=number(arrays, "noise", low=0.0),
        training_graphs=int(number(arrays, "training_graphs", low=2)),
    )


def _units(
    graphs: Sequence[StructureGraph],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """The units of all graphs in one table: features, node of every unit (−1 for none), edges ``(2, edges)``."""
    units = [graph.units or NO_UNITS for graph in graphs]
    nodes = np.cumsum([0] + [len(graph.operators) for graph in graphs[:-1]])
    first = np.cumsum([0] + [len(one.owner) for one in units[:-1]])
    owner = [np.where(one.owner >= 0, one.owner + start, -1) for one, start in zip(units, nodes, strict=True)]
    edges = [one.edges.astype(np.int64) + start for one, start in zip(units, first, strict=True)]
    return (
        np.concatenate([_unit_columns(one, graph.relevance) for one, graph in zip(units, graphs, strict=True)]),
        np.concatenate(owner).astype(np.int64),
        np.concatenate(edges, axis=1),
    )


def _unit_columns(units: UnitGraph, relevance: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """`UNIT_COLUMNS` of every unit; the relevance is that of the input units, 0 for all others and where it is not known."""
    column = np.zeros((len(units.features), 1), np.float32)
    inputs = np.flatnonzero(units.features[:, IS_INPUT])
    if relevance is not None and len(relevance) == len(inputs):
        column[inputs, 0] = relevance
    return np.concatenate([units.features, column], axis=1)


def _batch(graphs: Sequence[StructureGraph], scaling: Scaling) -> GraphBatch:
    features, operators, owner = node_table(graphs)
    first = np.cumsum([0] + [len(graph.operators) for graph in graphs[:-1]])
    edges = np.concatenate([graph.edges + start for graph, start in zip(graphs, first, strict=True)], axis=1)
    units, unit_owner, unit_edges = _units(graphs)
    return GraphBatch(
        features=_scaled(features, scaling.node_centre, scaling.node_spread),
        operators=operators,
        edges=edges,
        owner=owner,
        summary=_scaled(summaries(graphs)[:, : len(scaling.graph_centre)], scaling.graph_centre, scaling.graph_spread),
        units=_scaled(units[:, : len(scaling.unit_centre)], scaling.unit_centre, scaling.unit_spread),
        unit_edges=unit_edges,
        unit_owner=np.where(unit_owner >= 0, unit_owner, len(operators)),
    )


def _scaled(
    values: NDArray[np.floating], centre: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.clip((values - centre) / spread, -CLIP, CLIP).astype(np.float32)
    return found
