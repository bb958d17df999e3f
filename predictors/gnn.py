"""Graph network on the structure graph: a small ensemble that reads operators, links and masks together.

Each member leaves out its own tenth of the training networks; the errors there give the noise part of the std, the
disagreement of the members the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidPredictorError
from predictors.features import CLASSES, GRAPH_FEATURES, NODE_FEATURES, node_table, summaries
from predictors.predictor import Prediction
from predictors.state import array, check_training, number, require_fitted
from predictors.structure_graph import StructureGraph
from predictors.target import from_target, to_target

if TYPE_CHECKING:
    from predictors.message_passing import Batch, StructureNetwork

CLIP = 4.0  # standard deviations: a network far from all that was trained must not drive the ensemble anywhere
CHUNK = 256  # graphs evaluated at once


@dataclass(frozen=True, kw_only=True)
class GNNOptions:
    """Size of the graph network and of its training.

    Attributes:
        members: networks of the ensemble, ≥ 1.
        hidden: units, ≥ 1.
        layers: rounds of message passing, ≥ 1.
        steps: of the optimiser, ≥ 1.
        batch_size: networks a step, ≥ 2.
        learning_rate: at its peak, > 0.
        weight_decay: decoupled, ≥ 0.
        dropout: share of units dropped in training, in [0, 1).
    """

    members: int = 3
    hidden: int = 32
    layers: int = 3
    steps: int = 300
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse values that no network can have."""
        if min(self.members, self.hidden, self.layers, self.steps) < 1 or self.batch_size < 2:
            raise ValueError(f"members, hidden, layers, steps must be ≥ 1 and batch_size ≥ 2, got {self}")
        if not self.learning_rate > 0 or self.weight_decay < 0 or not 0 <= self.dropout < 1:
            raise ValueError(f"need learning_rate > 0, weight_decay ≥ 0 and dropout in [0, 1), got {self}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Scaling:
    """Centre and spread of node features, whole-graph features and targets, each from the training networks."""

    node_centre: NDArray[np.float32]
    node_spread: NDArray[np.float32]
    graph_centre: NDArray[np.float32]
    graph_spread: NDArray[np.float32]
    target_centre: float
    target_spread: float
    noise: float
    training_graphs: int


class GNNPredictor:
    """Ensemble of `predictors.message_passing.StructureNetwork`, on the scale of `predictors.target`."""

    name = "gnn"

    def __init__(self, options: GNNOptions = GNNOptions()) -> None:
        """Not fitted yet."""
        self.options = options
        self._scaling: Scaling | None = None
        self._networks: list[StructureNetwork] = []

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Train the members one after the other on one thread; one seed, one ensemble."""
        from predictors.message_passing import evaluate_network, reproducible

        targets = to_target(check_training(graphs, accuracies))
        scaling = _scaling(graphs, targets)
        scaled = (targets - scaling.target_centre) / scaling.target_spread
        networks: list[StructureNetwork] = []
        left_out_errors: list[float] = []
        for member in range(self.options.members):
            rng = np.random.default_rng([seed, member])
            order = rng.permutation(len(graphs))
            held = order[: len(graphs) // 10]
            with reproducible(int(rng.integers(2**31))):
                network = self._train(graphs, scaled, order[len(held) :], scaling)
                if len(held):
                    said = evaluate_network(network, _batch([graphs[row] for row in held], scaling))
                    left_out_errors.extend((said - scaled[held]).tolist())
            networks.append(network)
        noise = float(np.sqrt(np.mean(np.square(left_out_errors)))) if left_out_errors else 1.0
        self._networks = networks
        self._scaling = Scaling(**{**vars(scaling), "noise": noise})
        return self

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Mean of the members; their disagreement and the left-out error together as std."""
        from predictors.message_passing import evaluate_network, reproducible

        scaling = require_fitted(self._scaling, self.name)
        if not graphs:
            return Prediction(np.zeros(0), np.zeros(0))
        batches = [_batch(graphs[start : start + CHUNK], scaling) for start in range(0, len(graphs), CHUNK)]
        with reproducible(0):
            said = np.array(
                [np.concatenate([evaluate_network(one, batch) for batch in batches]) for one in self._networks]
            )
        std = np.sqrt(said.var(axis=0) + scaling.noise**2)
        return from_target(
            said.mean(axis=0) * scaling.target_spread + scaling.target_centre, std * scaling.target_spread
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `Scaling`, ``hidden``, ``layers`` and ``members`` ``()``, and ``member<i>.<parameter>``."""
        from predictors.message_passing import state_arrays

        scaling = require_fitted(self._scaling, self.name)
        found: dict[str, NDArray[np.generic]] = {name: np.asarray(value) for name, value in vars(scaling).items()}
        found |= {name: np.asarray(getattr(self.options, name)) for name in ("members", "hidden", "layers")}
        for place, network in enumerate(self._networks):
            found |= {f"member{place}.{name}": value for name, value in state_arrays(network).items()}
        return found

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        from predictors.message_passing import load_state

        sizes = {name: int(number(arrays, name, low=1)) for name in ("members", "hidden", "layers")}
        if max(sizes.values()) > 4096:
            raise InvalidPredictorError(f"saved graph network has impossible sizes {sizes}")
        predictor = cls(GNNOptions(**sizes))  # type: ignore[arg-type]
        predictor._scaling = _scaling_from(arrays)
        for place in range(sizes["members"]):
            prefix = f"member{place}."
            found = {
                key.removeprefix(prefix): array(arrays, key, "f", arrays[key].shape)
                for key in arrays
                if key.startswith(prefix)
            }
            network = predictor._network()
            try:
                load_state(network, {key: value.astype(np.float32) for key, value in found.items()})
            except RuntimeError as error:  # what torch raises for missing names and other shapes
                raise InvalidPredictorError(f"saved graph network, member {place}, does not fit: {error}") from error
            predictor._networks.append(network)
        return predictor

    def _network(self) -> "StructureNetwork":
        from predictors.message_passing import StructureNetwork

        options = self.options
        return StructureNetwork(
            len(CLASSES), len(NODE_FEATURES), len(GRAPH_FEATURES), options.hidden, options.layers, options.dropout
        )

    def _train(
        self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], rows: NDArray[np.int64], scaling: Scaling
    ) -> "StructureNetwork":
        import torch

        from predictors.message_passing import train_network

        options = self.options
        parts = np.array_split(rows, max(1, round(len(rows) / options.batch_size)))
        batches = [
            (_batch([graphs[row] for row in part], scaling), torch.from_numpy(targets[part].astype(np.float32)))
            for part in parts
        ]
        network = self._network()
        train_network(
            network,
            batches,
            steps=options.steps,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
        )
        return network


def _scaling(graphs: Sequence[StructureGraph], targets: NDArray[np.float64]) -> Scaling:
    nodes, whole = node_table(graphs)[0].astype(np.float64), summaries(graphs)
    spread = float(targets.std())
    return Scaling(
        node_centre=(nodes.mean(axis=0) if len(nodes) else np.zeros(len(NODE_FEATURES))).astype(np.float32),
        node_spread=_spread(nodes),
        graph_centre=whole.mean(axis=0).astype(np.float32),
        graph_spread=_spread(whole),
        target_centre=float(targets.mean()),
        target_spread=spread if spread > 1e-9 else 1e-9,
        noise=0.0,
        training_graphs=len(graphs),
    )


def _spread(table: NDArray[np.float64]) -> NDArray[np.float32]:
    """Standard deviations; huge, so that the scaled feature is 0, where a feature never varies."""
    if not len(table):
        return np.ones(table.shape[1], np.float32)
    spread = table.std(axis=0)
    return np.where(spread > 1e-6 * np.maximum(1.0, np.abs(table.mean(axis=0))), spread, 1e30).astype(np.float32)


def _scaling_from(arrays: dict[str, NDArray[np.generic]]) -> Scaling:
    nodes, whole = (len(NODE_FEATURES),), (len(GRAPH_FEATURES),)
    return Scaling(
        node_centre=array(arrays, "node_centre", "f", nodes).astype(np.float32),
        node_spread=array(arrays, "node_spread", "f", nodes).astype(np.float32),
        graph_centre=array(arrays, "graph_centre", "f", whole).astype(np.float32),
        graph_spread=array(arrays, "graph_spread", "f", whole).astype(np.float32),
        target_centre=number(arrays, "target_centre"),
        target_spread=number(arrays, "target_spread", low=0.0),
        noise=number(arrays, "noise", low=0.0),
        training_graphs=int(number(arrays, "training_graphs", low=2)),
    )


def _batch(graphs: Sequence[StructureGraph], scaling: Scaling) -> "Batch":
    import torch

    from predictors.message_passing import Batch

    features, operators, owner = node_table(graphs)
    first = np.cumsum([0] + [len(graph.operators) for graph in graphs[:-1]])
    edges = np.concatenate([graph.edges + start for graph, start in zip(graphs, first, strict=True)], axis=1)
    nodes = np.clip((features - scaling.node_centre) / scaling.node_spread, -CLIP, CLIP)
    whole = np.clip((summaries(graphs) - scaling.graph_centre) / scaling.graph_spread, -CLIP, CLIP)
    return Batch(
        features=torch.from_numpy(nodes.astype(np.float32)),
        operators=torch.from_numpy(operators),
        edges=torch.from_numpy(edges),
        owner=torch.from_numpy(owner),
        summary=torch.from_numpy(whole.astype(np.float32)),
    )
