"""Flow of paths through weights: masks as linear maps over units, and the paths through a recurrent layer's steps.

Several networks that differ only in their masks are followed at once: the last axis of a flow holds the sources of the first network,
then those of the second, and so on.
"""

from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictors.paths.connections import connections
from predictors.reading.attributes import Shape
from predictors.reading.canonical_graph import Block, Operator

Array: TypeAlias = NDArray[np.float64]
_CHUNK = 1 << 22  # entries of a mask converted to floats at once
_STEPS = 15  # maximal number of steps through a recurrent layer


@dataclass(slots=True, eq=False)
class Record:
    """The paths through one weight.

    Attributes:
        forward: number of paths from the sources to every unit, ``(networks, units, sources)``, on its own scale.
        backward: number of paths from every unit to the outputs, ``(networks, units)``, on its own scale.
        live: units on a path from an input to an output, bool ``(networks, units)``.
        effective: numbers of non-zeros of every block that lie on a path from an input to an output, each int64 ``(networks,)``.
        ends: ends of the live connections of every block.
    """

    forward: Array
    backward: Array
    effective: list[NDArray[np.int64]]
    ends: list["Ends"] = field(default_factory=list)
    live: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        """Find the live units, which several features read."""
        self.live = self.forward.any(axis=2) & (self.backward > 0)


class Ends(NamedTuple):
    """Units that a block connects: a connection is live if both its ends are.

    Attributes:
        folded: shape of the block's masks in which both ends are axes of their own, without the kernel, ``(networks, …)``.
        sources: units that depend on an input, bool; broadcasts to `folded`.
        targets: units that an output depends on, bool; broadcasts to `folded`.
    """

    folded: Shape
    sources: NDArray[np.bool_]
    targets: NDArray[np.bool_]

    def live(self, block: Block) -> NDArray[np.bool_]:
        """The block's masks without their dead connections, ``(networks, *shape)``."""
        networks, kernel = self.folded[0], len(block.shape) - 2
        alive = np.broadcast_to(self.sources & self.targets, self.folded)
        alive = alive.reshape(networks, *block.shape[:2], *(1,) * kernel)
        return np.broadcast_to(alive, (networks, *block.shape)) if block.masks is None else block.masks & alive


class Linear:
    """Masks as linear maps over the second to last axis of a flow; groups are blocks of the diagonal."""

    def __init__(self, block: Block) -> None:
        """Prepare the maps of one block, kernel positions summed."""
        self.groups = block.groups
        self.out, self.inner = block.shape[0], block.shape[1]
        self.kernel = prod(block.shape[2:])
        self.masks = block.masks
        self.empty = not block.counts.any()  # may have any size: the graph computes it, so it takes no memory
        self.edges: Array | None = None
        if block.masks is not None and block.masks.size <= _CHUNK:
            self.edges = stacked_connections(block.masks)

    @property
    def sources(self) -> int:
        """Length of the axis that the map reads."""
        return self.inner * self.groups

    def forward(self, flow: Array) -> Array:
        """Flow ``(…, in or 1, sources)`` to ``(…, out or 1, sources)``."""
        if self.masks is None:
            return self._full(flow, self.inner, self.out)
        if self.empty:
            return np.zeros((*flow.shape[:-2], self.out, flow.shape[-1]))
        flow = _expand(flow, -2, self.sources)
        if self.edges is None:
            return self._chunked(flow, self.masks[0])
        if self.groups == 1:
            return _product(self.edges, flow)
        grouped = flow.reshape(*flow.shape[:-2], self.groups, self.inner, flow.shape[-1])
        edges = self.edges.reshape(len(self.edges), self.groups, -1, self.inner)
        return _product(edges, grouped).reshape(*flow.shape[:-2], self.out, flow.shape[-1])

    def backward(self, flow: Array) -> Array:
        """Flow ``(…, out or 1, networks)`` to ``(…, in or 1, networks)``."""
        if self.masks is None:
            return self._full(flow, self.out // self.groups, self.sources)
        if self.empty:
            return np.zeros((*flow.shape[:-2], self.sources, flow.shape[-1]))
        flow = _expand(flow, -2, self.out)
        edges = self.edges if self.edges is not None else stacked_connections(self.masks)
        if self.groups == 1:
            return _product(edges.swapaxes(1, 2), flow)
        grouped = flow.reshape(*flow.shape[:-2], self.groups, -1, flow.shape[-1])
        edges = edges.reshape(len(edges), self.groups, -1, self.inner).swapaxes(2, 3)
        return _product(edges, grouped).reshape(*flow.shape[:-2], self.sources, flow.shape[-1])

    def effective(self, live_in: NDArray[np.bool_], live_out: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Numbers of non-zeros between live inputs ``(networks, in)`` and live units ``(networks, out)``."""
        networks = len(live_in)
        if self.masks is None:
            inputs = live_in.reshape(networks, self.groups, -1).sum(axis=2)
            return np.asarray(
                (inputs * live_out.reshape(networks, self.groups, -1).sum(axis=2)).sum(axis=1) * self.kernel
            )
        reached = self.forward(live_in.T.astype(np.float64))
        return np.asarray(np.rint((reached * live_out.T).sum(axis=0)), np.int64)

    def _full(self, flow: Array, inner: int, out: int) -> Array:
        if flow.shape[-2] == 1:
            return flow * float(inner * self.kernel)
        if self.groups == 1:
            found: Array = flow.sum(axis=-2, keepdims=True) * float(self.kernel)
            return found
        grouped = flow.reshape(*flow.shape[:-2], self.groups, -1, flow.shape[-1]).sum(axis=-2) * float(self.kernel)
        return np.repeat(grouped, out // self.groups, axis=-2)

    def _chunked(self, flow: Array, mask: NDArray[np.bool_]) -> Array:
        step = max(1, _CHUNK // (mask.size // self.out))
        per_group = self.out // self.groups
        step = min(step, per_group)
        parts = []
        for group in range(self.groups):
            source = flow[..., group * self.inner : (group + 1) * self.inner, :]
            for start in range(group * per_group, (group + 1) * per_group, step):
                stop = min(start + step, (group + 1) * per_group)
                parts.append(np.matmul(connections(mask[start:stop]), source))
        return np.concatenate(parts, axis=-2)


def stacked_connections(masks: NDArray[np.bool_]) -> Array:
    """`connections` of every mask, float64 ``(networks, out, in)``."""
    networks, out, *others = masks.shape
    return connections(masks.reshape(networks * out, *others)).reshape(networks, out, -1)


@dataclass(slots=True, eq=False)
class CountedWeights:
    """The weights of a graph as maps of paths; during the backward pass, a `Record` is stored for every operator.

    Attributes:
        networks: number of networks that are followed at once.
        records: records by ``id`` of the operator.
        single: whether a backward pass counts connections instead of paths, namely those from the inputs of one operator. It then
            stores no records.
    """

    networks: int
    records: dict[int, Record] = field(default_factory=dict)
    single: bool = False

    def product(self, operator: Operator) -> "CountedProduct":
        """The one weight of a dense layer or convolution."""
        return CountedProduct(self, Linear(operator.blocks[0]), id(operator))

    def recurrence(self, operator: Operator, steps: int) -> "CountedRecurrence":
        """The two weights of a recurrent operator."""
        return CountedRecurrence(self, operator, min(max(steps - 1, 0), _STEPS))


class CountedProduct:
    """A weight that records the paths through it; fields are ``(…, units or 1, sources)``."""

    def __init__(self, weights: CountedWeights, product: Linear, key: int) -> None:
        """The backward pass stores its record among those of `weights`, by this key."""
        self.weights, self.product, self.key = weights, product, key
        self.columns = self.made = np.zeros((0, 0))

    def forward(self, field: Array) -> Array:
        """Numbers of paths to its output units."""
        if field.shape[-2] not in (1, self.product.sources):
            raise ValueError(f"a weight of {self.product.sources} inputs reads {field.shape[-2]}")
        self.columns, self.made = field, self.product.forward(field)
        return self.made

    def backward(self, field: Array) -> Array:
        """Numbers of paths from its input units."""
        if not self.weights.single:
            self.weights.records[self.key] = _record(self.product, self.columns, self.made, field)
        return self.product.backward(field)


def _record(product: Linear, columns: Array, made: Array, behind: Array) -> Record:
    networks = behind.shape[-1]
    forward = apart(_broadcast(_collapsed(made), (product.out,)), networks)
    backward = apart(_broadcast(_collapsed(behind), (product.out,)), networks)[..., 0]
    inputs = np.logical_or.reduce(apart(_collapsed(columns), networks), axis=2)
    live_in = inputs if inputs.shape[1] == product.sources else np.broadcast_to(inputs, (networks, product.sources))
    live_out, groups = backward > 0, product.groups
    ends = Ends(
        (networks, groups, product.out // groups, product.inner),
        live_in.reshape(networks, groups, 1, -1),
        live_out.reshape(networks, groups, -1, 1),
    )
    return Record(forward, backward, [product.effective(live_in, live_out)], [ends])


def apart(flow: Array, networks: int) -> Array:
    """A flow ``(…, networks · sources)`` with the networks in front, ``(networks, …, sources)``."""
    if networks == 1:
        return flow[None]
    return np.asarray(np.moveaxis(flow.reshape(*flow.shape[:-1], networks, -1), -2, 0))


def _together(flow: Array) -> Array:
    """Inverse of `apart`."""
    if len(flow) == 1:
        only: Array = flow[0]
        return only
    moved = np.moveaxis(flow, 0, -2)
    found: Array = moved.reshape(*moved.shape[:-2], -1)
    return found


def _product(edges: Array, flow: Array) -> Array:
    """Edges ``(networks, …, out, in)`` times a flow ``(…, in, networks · sources)``, network by network."""
    if len(edges) == 1:
        found: Array = np.matmul(edges[0], flow)
        return found
    alone = (1,) * (flow.ndim - edges.ndim + 1)
    return _together(np.matmul(edges.reshape(len(edges), *alone, *edges.shape[1:]), apart(flow, len(edges))))


def _collapsed(flow: Array) -> Array:
    """Flow ``(…, units, sources)`` as ``(units, sources)``, averaged over the leading axes."""
    if flow.ndim == 2:
        return flow
    if flow.ndim == 3 and len(flow) == 1:
        return flow.reshape(flow.shape[1:])
    found: Array = flow.mean(axis=tuple(range(flow.ndim - 2)))
    return found


class CountedRecurrence:
    """The weights of a recurrent operator: paths through at most `_STEPS` steps, gates summed, the same at every step.

    Hidden units are ``(directions, hidden, sources)``, inputs ``(in or 1, sources)``.
    """

    def __init__(self, weights: CountedWeights, operator: Operator, steps: int) -> None:
        """The backward pass stores its record among those of `weights`."""
        self.weights, self.key = weights, id(operator)
        self.first, self.second = operator.blocks
        self.networks, self.inputs = weights.networks, self.first.shape[1]
        self.inward, self.within = (self._gates_summed(block) for block in operator.blocks)
        self.steps = steps
        self.live_in = np.zeros((self.networks, self.inputs), np.bool_)
        self.made = self.behind = np.zeros(0)

    def _gates_summed(self, block: Block) -> Array:
        """Numbers of edges ``(networks, directions, hidden, in)``; masks without a zero stand for all networks."""
        found = per_gate(block).sum(axis=2)
        return np.broadcast_to(found, (self.networks, *found.shape[1:]))

    def enter(self, field: Array) -> Array:
        """Paths to the hidden units that read the inputs."""
        if field.shape[0] not in (1, self.inputs):
            raise ValueError(f"a weight of {self.inputs} inputs reads {field.shape[0]}")
        source = apart(_broadcast(field, (self.inputs,)), self.networks)
        self.live_in = np.logical_or.reduce(source, axis=2)
        return _together(np.matmul(self.inward, source[:, None]))

    def run(self, field: Array) -> Array:
        """Paths to the hidden units of all steps."""
        self.made = _closure(self.within, self._whole(field), self.steps)
        return _together(self.made)

    def run_back(self, field: Array) -> Array:
        """Paths from the hidden units of all steps."""
        behind = _closure(self.within.swapaxes(2, 3), self._whole(field), self.steps)
        if self.weights.single:
            return _together((behind > 0).astype(np.float64))
        ends = self._ends(behind)
        effective = [
            (per_gate(block) * one.sources * one.targets).sum(axis=(1, 2, 3, 4)).astype(np.int64)
            for block, one in zip((self.first, self.second), ends, strict=True)
        ]
        forward = self.made.reshape(self.networks, -1, self.made.shape[-1])
        self.weights.records[self.key] = Record(forward, behind.reshape(self.networks, -1), effective, ends)
        return _together(behind)

    def leave(self, field: Array) -> Array:
        """Paths from the inputs."""
        return _together(np.matmul(self.inward.swapaxes(2, 3), apart(field, self.networks)).sum(axis=1))

    def _ends(self, behind: Array) -> list[Ends]:
        """Ends of the connections from the inputs and from the hidden units, ``(networks, directions, gates, hidden, in)``."""
        live_out = (behind[..., 0] > 0)[:, :, None, :, None]
        live_hidden = np.logical_or.reduce(self.made, axis=3)[:, :, None, None]
        sources = (self.live_in[:, None, None, None], live_hidden)
        return [
            Ends((self.networks, block.directions, block.gates, live_out.shape[3], block.shape[1]), source, live_out)
            for block, source in zip((self.first, self.second), sources, strict=True)
        ]

    def _whole(self, field: Array) -> Array:
        return apart(_broadcast(field, self.within.shape[1:3]), self.networks)


def per_gate(block: Block) -> Array:
    """Float ``(networks, directions, gates, hidden, in)``."""
    edges = np.ones((1, *block.shape)) if block.masks is None else block.masks.astype(np.float64)
    return edges.reshape(len(edges), block.directions, block.gates, -1, block.shape[1])


def _closure(matrix: Array, start: Array, steps: int) -> Array:
    """Σ matrixᵗ · start over t = 0 … steps."""
    total, current = start, start
    for _ in range(steps):
        current = np.matmul(matrix, current)
        total = total + current
    return total


def _expand(flow: Array, axis: int, size: int) -> Array:
    """The flow with its unit axis in full length."""
    if flow.shape[axis] == size:
        return flow
    shape = list(flow.shape)
    shape[axis] = size
    return np.broadcast_to(flow, shape)


def _broadcast(flow: Array, leading: Shape) -> Array:
    if flow.shape[:-1] == leading:
        return flow
    return np.broadcast_to(flow, (*leading, flow.shape[-1]))
