"""Trained graph networks of one size, evaluated together without torch: what is imported in seconds would answer in milliseconds.

The same function as `predictors.message_passing.StructureNetwork`, where it is trained; all members pass through one product after
the other, stacked. States are ``(nodes, members, width)``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from predictors.graph_batch import Floats, GraphBatch, Numbers
from predictors.threads import one_thread

SUM_SCALE = 8.0  # nodes of a small network: keeps the sum pool of the size of the mean pool
NORM_EPSILON = 1e-5
SMALLEST_VARIANCE = 1e-6
Parameters = Mapping[str, Floats]


@dataclass(frozen=True, kw_only=True)
class NetworkSizes:
    """Of a two-level graph network: what it reads, its widths and its rounds on both levels."""

    classes: int
    node_features: int
    graph_features: int
    unit_features: int
    hidden: int
    layers: int
    unit_hidden: int
    unit_layers: int


def parameter_shapes(sizes: NetworkSizes) -> dict[str, tuple[int, ...]]:
    """Names of the parameters, those of torch's modules, and their shapes."""
    hidden, inner = sizes.hidden, sizes.unit_hidden
    linear = {
        "units": (inner, sizes.unit_features),
        "pooled": (hidden, 3 * inner),
        "nodes": (hidden, sizes.node_features),
        "summary.1": (hidden, sizes.graph_features),
        "head.2": (hidden, 4 * hidden),
        "head.4": (1, hidden),
    }
    norms = {"head.0": 4 * hidden}
    for part, width, rounds in (("unit_rounds", inner, sizes.unit_layers), ("rounds", hidden, sizes.layers)):
        linear |= {f"{part}.mixers.{place}": (width, 3 * width) for place in range(rounds)}
        norms |= {f"{part}.norms.{place}": width for place in range(rounds)}
    found: dict[str, tuple[int, ...]] = {"operators.weight": (sizes.classes, hidden)}
    for name, shape in linear.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name, width in norms.items():
        found |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return found


class NetworkMembers:
    """The parameters of several networks, by name as in `parameter_shapes`, each stacked."""

    def __init__(self, members: Sequence[Parameters]) -> None:
        """Stack the parameters of at least one member; all have the same names and shapes."""
        self._stacked = {name: np.stack([member[name] for member in members]) for name in members[0]}
        self._weights = {
            name: np.ascontiguousarray(array.swapaxes(1, 2))
            for name, array in self._stacked.items()
            if array.ndim == 3 and name != "operators.weight"
        }

    def __call__(self, batch: GraphBatch) -> NDArray[np.float64]:
        """What every member says of every graph, float64 ``(members, graphs)``."""
        if not len(batch.summary):
            return np.zeros((len(self._stacked["nodes.bias"]), 0))
        with one_thread():
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
        pools = _Groups.of(batch.owner, len(batch.summary))
        mean = pools.mean(state)
        total = mean * (pools.counts / SUM_SCALE).astype(np.float32)[:, None, None]
        summary = _positive(self._linear("summary.1", batch.summary[:, None]))
        joined = np.concatenate([mean, pools.largest(state), total, summary], axis=2)
        inner = _positive(self._linear("head.2", self._normed("head.0", joined)))
        return self._linear("head.4", inner)[:, :, 0]

    def _from_units(self, batch: GraphBatch) -> Floats:
        """What the units of every node tell, ``(nodes, members, hidden)``: mean, spread and largest; 0 where there are none."""
        state = self._rounds("unit_rounds", self._linear("units", batch.units[:, None]), batch.unit_edges)
        nodes = len(batch.operators)
        pools = _Groups.of(batch.unit_owner, nodes + 1)
        mean, square = pools.mean(state), pools.mean(state * state)
        spread = np.sqrt(np.maximum(square - mean * mean, np.float32(SMALLEST_VARIANCE)))
        told = self._linear("pooled", np.concatenate([mean, spread, pools.largest(state)], axis=2))
        return (told * (pools.counts > 0)[:, None, None])[:nodes]

    def _rounds(self, name: str, state: Floats, edges: Numbers) -> Floats:
        """Residual rounds: every node hears itself, the mean of its sources and that of its targets."""
        sources, targets = (_means(edges[there], edges[here], len(state)) for there, here in ((0, 1), (1, 0)))
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
        """``(rows, members or 1, in)`` to ``(rows, members, out)``."""
        made = np.matmul(state.swapaxes(0, 1), self._weights[f"{name}.weight"])
        made += self._stacked[f"{name}.bias"][:, None]
        return np.asarray(made.swapaxes(0, 1))

    def _normed(self, name: str, state: Floats) -> Floats:
        """Every state with mean 0 and variance 1 over its entries, scaled and shifted by the layer's parameters."""
        width = state.shape[2]
        # Sums along a short axis are slow, products with a vector of ones are not.
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


def _means(heard: Numbers, hearing: Numbers, nodes: int) -> scipy.sparse.csr_array:
    """Means over neighbours as a sparse matrix ``(nodes, nodes)``; the row of a node that hears none is empty."""
    order = np.argsort(hearing, kind="stable")
    degrees = np.bincount(hearing, minlength=nodes)
    starts = np.concatenate(([0], np.cumsum(degrees))).astype(np.int32)
    share = (1.0 / np.maximum(degrees, 1)).astype(np.float32)
    values = share[hearing[order]]
    return scipy.sparse.csr_array((values, heard[order].astype(np.int32), starts), shape=(nodes, nodes))


@dataclass(frozen=True, eq=False)
class _Groups:
    """Rows that belong together.

    Attributes:
        counts: rows of every group, ``(groups,)``.
        order: the rows by group; None where they are in order.
        some, starts: groups that have rows, and where in `order` these begin.
    """

    counts: Numbers
    order: Numbers | None
    some: Numbers
    starts: Numbers

    @classmethod
    def of(cls, owner: Numbers, groups: int) -> "_Groups":
        """From the group of every row."""
        counts = np.bincount(owner, minlength=groups)
        order = None if (owner[1:] >= owner[:-1]).all() else np.argsort(owner, kind="stable")
        some = np.flatnonzero(counts)
        return cls(counts, order, some, np.concatenate(([0], np.cumsum(counts[some])[:-1])).astype(np.int64))

    def mean(self, state: Floats) -> Floats:
        """Mean over the rows of every group, ``(groups, members, width)``; 0 where there are none."""
        found = self._reduced(np.add, state)
        found /= np.maximum(self.counts, 1).astype(np.float32)[:, None, None]
        return found

    def largest(self, state: Floats) -> Floats:
        """The largest of every group; 0 where there are none."""
        return self._reduced(np.maximum, state)

    def _reduced(self, function: np.ufunc, state: Floats) -> Floats:
        found = np.zeros((len(self.counts), *state.shape[1:]), np.float32)
        if len(self.some):
            rows = state if self.order is None else state[self.order]
            found[self.some] = function.reduceat(rows, self.starts, axis=0)
        return found
