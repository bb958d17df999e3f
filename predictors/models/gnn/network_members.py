"""Trained graph networks of one size, evaluated together without torch: importing torch takes seconds, a prediction milliseconds.

Computes the same function as `message_passing.StructureNetwork`, which is used for training. All members are stacked, so that each
product is computed for all of them at once. States are ``(nodes, members, width)``.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from predictors.models.gnn.graph_batch import Floats, GraphBatch, Numbers
from predictors.models.gnn.neighbour_means import neighbour_means
from predictors.models.gnn.network_sizes import SMALLEST_VARIANCE, SUM_SCALE
from predictors.models.gnn.row_groups import RowGroups

NORM_EPSILON = 1e-5
Parameters = Mapping[str, Floats]


class NetworkMembers:
    """The parameters of several networks, by name as in `network_sizes.parameter_shapes`, each stacked."""

    def __init__(self, members: Sequence[Parameters]) -> None:
        """Stack the parameters of at least one member; all have the same names and shapes."""
        self._stacked = {name: np.stack([member[name] for member in members]) for name in members[0]}

    def __len__(self) -> int:
        """Number of members."""
        return len(self._stacked["nodes.bias"])

    def parameters(self, member: int) -> dict[str, Floats]:
        """A copy of one member's parameters."""
        return {name: values[member].copy() for name, values in self._stacked.items()}

    def __call__(self, batch: GraphBatch) -> NDArray[np.float64]:
        """Prediction of every member for every graph, float64 ``(members, graphs)``."""
        if not len(batch.summary):
            return np.zeros((len(self), 0))
        return np.ascontiguousarray(self._head(batch, self._states(batch)).T.astype(np.float64))

    def _states(self, batch: GraphBatch) -> Floats:
        """States of the nodes after all messages."""
        state = (
            self._linear("nodes", batch.features[:, None])
            + self._stacked["operators.weight"].swapaxes(0, 1)[batch.operators]
        )
        if len(batch.units):
            state = state + self._from_units(batch)
        return self._rounds("rounds", state, batch.edges)

    def _head(self, batch: GraphBatch, state: Floats) -> Floats:
        """One number for every graph and member, ``(graphs, members)``."""
        pools = RowGroups.of(batch.owner, len(batch.summary))
        mean = pools.mean(state)
        total = mean * (pools.counts / SUM_SCALE).astype(np.float32)[:, None, None]
        summary = _positive(self._linear("summary.1", batch.summary[:, None]))
        joined = np.concatenate([mean, pools.largest(state), total, summary], axis=2)
        inner = _positive(self._linear("head.2", self._normed("head.0", joined)))
        return self._linear("head.4", inner)[:, :, 0]

    def _from_units(self, batch: GraphBatch) -> Floats:
        """Contribution of the units to every node, ``(nodes, members, hidden)``, from their mean, spread and maximum; 0 without units."""
        state = self._rounds("unit_rounds", self._linear("units", batch.units[:, None]), batch.unit_edges)
        nodes = len(batch.operators)
        pools = RowGroups.of(batch.unit_owner, nodes + 1)
        mean, square = pools.mean(state), pools.mean(state * state)
        spread = np.sqrt(np.maximum(square - mean * mean, np.float32(SMALLEST_VARIANCE)))
        told = self._linear("pooled", np.concatenate([mean, spread, pools.largest(state)], axis=2))
        return (told * (pools.counts > 0)[:, None, None])[:nodes]

    def _rounds(self, name: str, state: Floats, edges: Numbers) -> Floats:
        """Residual rounds: every node reads its own state, the mean of its sources and the mean of its targets."""
        sources, targets = (neighbour_means(*ends, len(state)) for ends in ((edges[1], edges[0]), (edges[0], edges[1])))
        width = state.shape[2]
        heard = np.empty((*state.shape[:2], 3 * width), np.float32)
        place = 0
        while f"{name}.mixers.{place}.weight" in self._stacked:
            own = self._normed(f"{name}.norms.{place}", state)
            flat = own.reshape(len(own), own.shape[1] * width)
            heard[:, :, :width] = own
            heard[:, :, width : 2 * width] = (sources @ flat).reshape(own.shape)
            heard[:, :, 2 * width :] = (targets @ flat).reshape(own.shape)
            state = state + _positive(self._linear(f"{name}.mixers.{place}", heard))
            place += 1
        return state

    def _linear(self, name: str, state: Floats) -> Floats:
        """A linear layer: ``(rows, members or 1, in)`` to ``(rows, members, out)``."""
        made = np.matmul(state.swapaxes(0, 1), self._stacked[f"{name}.weight"].swapaxes(1, 2))
        made += self._stacked[f"{name}.bias"][:, None]
        return np.asarray(made.swapaxes(0, 1))

    def _normed(self, name: str, state: Floats) -> Floats:
        """Layer normalisation: every state with mean 0 and variance 1 over its entries, scaled and shifted by the layer's parameters."""
        width = state.shape[2]
        # Sums along a short axis are slow; products with a vector of ones are fast.
        rows = state.reshape(-1, width)
        share = np.full((width, 1), 1 / width, np.float32)
        centred = rows - rows @ share
        centred /= np.sqrt((centred * centred) @ share + np.float32(NORM_EPSILON))
        found = centred.reshape(state.shape)
        found *= self._stacked[f"{name}.weight"]
        found += self._stacked[f"{name}.bias"]
        return found


def _positive(values: Floats) -> Floats:
    return np.maximum(values, 0, out=values)
