"""Flow of paths through weights: masks as linear maps over units, and the paths through a recurrent layer's steps."""

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
        forward: number of paths from the sources to every unit, ``(units, sources)``, on its own scale.
        backward: number of paths from every unit to the outputs, ``(units,)``, on its own scale.
        effective: number of non-zeros of every block that lie on a path from an input to an output.
        ends: ends of the live connections of every block.
    """

    forward: Array
    backward: Array
    effective: list[int]
    ends: list["Ends"] = field(default_factory=list)


class Ends(NamedTuple):
    """Units that a block connects: a connection is live if both its ends are.

    Attributes:
        folded: shape of the block's mask in which both ends are axes of their own, without the kernel.
        sources: units that depend on an input, bool; broadcasts to `folded`.
        targets: units that an output depends on, bool; broadcasts to `folded`.
    """

    folded: Shape
    sources: NDArray[np.bool_]
    targets: NDArray[np.bool_]

    def live(self, block: Block) -> NDArray[np.bool_]:
        """The block's mask without its dead connections."""
        alive = np.broadcast_to(self.sources & self.targets, self.folded).reshape(block.shape[:2])
        alive = alive.reshape(*block.shape[:2], *(1,) * (len(block.shape) - 2))
        return np.broadcast_to(alive, block.shape) if block.mask is None else block.mask & alive


class Linear:
    """A mask as a linear map over the second to last axis of a flow; groups are blocks of the diagonal."""

    def __init__(self, block: Block) -> None:
        """Prepare the map of one block, kernel positions summed."""
        self.groups = block.groups
        self.out, self.inner = block.shape[0], block.shape[1]
        self.kernel = prod(block.shape[2:])
        self.mask = block.mask
        self.empty = block.nnz == 0  # may have any size: the graph computes it, so it takes no memory
        self.edges: Array | None = None
        if block.mask is not None and block.mask.size <= _CHUNK:
            self.edges = connections(block.mask)

    @property
    def sources(self) -> int:
        """Length of the axis that the map reads."""
        return self.inner * self.groups

    def forward(self, flow: Array) -> Array:
        """Flow ``(…, in or 1, sources)`` to ``(…, out or 1, sources)``."""
        if self.mask is None:
            return self._full(flow, self.inner, self.out)
        if self.empty:
            return np.zeros((*flow.shape[:-2], self.out, flow.shape[-1]))
        flow = _expand(flow, -2, self.sources)
        if self.edges is None:
            return self._chunked(flow, self.mask)
        if self.groups == 1:
            return _product(self.edges, flow)
        grouped = flow.reshape(*flow.shape[:-2], self.groups, self.inner, flow.shape[-1])
        edges = self.edges.reshape(self.groups, -1, self.inner)
        return _product(edges, grouped).reshape(*flow.shape[:-2], self.out, flow.shape[-1])

    def backward(self, flow: Array) -> Array:
        """Flow ``(…, out or 1, 1)`` to ``(…, in or 1, 1)``."""
        if self.mask is None:
            return self._full(flow, self.out // self.groups, self.sources)
        if self.empty:
            return np.zeros((*flow.shape[:-2], self.sources, flow.shape[-1]))
        flow = _expand(flow, -2, self.out)
        edges = self.edges if self.edges is not None else connections(self.mask)
        if self.groups == 1:
            return _product(edges.T, flow)
        grouped = flow.reshape(*flow.shape[:-2], self.groups, -1, flow.shape[-1])
        edges = edges.reshape(self.groups, -1, self.inner).swapaxes(1, 2)
        return _product(edges, grouped).reshape(*flow.shape[:-2], self.sources, flow.shape[-1])

    def effective(self, live_in: NDArray[np.bool_], live_out: NDArray[np.bool_]) -> int:
        """Number of non-zeros between live inputs ``(in,)`` and live units ``(out,)``."""
        if self.mask is None:
            inputs = live_in.reshape(self.groups, -1).sum(axis=1)
            return int((inputs * live_out.reshape(self.groups, -1).sum(axis=1)).sum()) * self.kernel
        if self.edges is not None and self.groups == 1:
            return round(float(live_out @ (self.edges @ live_in)))
        return round(float(self.forward(live_in.astype(np.float64)[:, None])[:, 0] @ live_out))

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


@dataclass(slots=True, eq=False)
class CountedWeights:
    """The weights of a graph as maps of paths; during the backward pass, a `Record` is stored for every operator.

    Attributes:
        records: records by ``id`` of the operator.
        single: whether a backward pass counts connections instead of paths: only those that leave the inputs of one operator. No
            records are stored then.
    """

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
    forward = _broadcast(_collapsed(made), (product.out,))
    backward = _broadcast(_collapsed(behind), (product.out,))[:, 0]
    inputs = np.logical_or.reduce(_collapsed(columns), axis=1)
    live_in = inputs if len(inputs) == product.sources else np.broadcast_to(inputs, (product.sources,))
    live_out, groups = backward > 0, product.groups
    ends = Ends(
        (groups, product.out // groups, product.inner), live_in.reshape(groups, 1, -1), live_out.reshape(groups, -1, 1)
    )
    return Record(forward, backward, [product.effective(live_in, live_out)], [ends])


def _product(edges: Array, flow: Array) -> Array:
    found: Array = np.matmul(edges, flow)
    return found


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
        self.inward, self.within = _gates_summed(self.first), _gates_summed(self.second)
        self.steps = steps
        self.live_in = np.zeros(self.inward.shape[2], np.bool_)
        self.made = self.behind = np.zeros(0)

    def enter(self, field: Array) -> Array:
        """Paths to the hidden units that read the inputs."""
        if field.shape[0] not in (1, self.inward.shape[2]):
            raise ValueError(f"a weight of {self.inward.shape[2]} inputs reads {field.shape[0]}")
        source = _broadcast(field, (self.inward.shape[2],))
        self.live_in = np.logical_or.reduce(source, axis=1)
        found: Array = np.matmul(self.inward, source)
        return found

    def run(self, field: Array) -> Array:
        """Paths to the hidden units of all steps."""
        self.made = _closure(self.within, self._whole(field), self.steps)
        return self.made

    def run_back(self, field: Array) -> Array:
        """Paths from the hidden units of all steps."""
        behind = _closure(self.within.swapaxes(1, 2), self._whole(field), self.steps)
        if self.weights.single:
            return (behind > 0).astype(np.float64)
        ends = self._ends(behind)
        effective = [
            int((per_gate(block) * one.sources * one.targets).sum())
            for block, one in zip((self.first, self.second), ends, strict=True)
        ]
        forward = self.made.reshape(-1, self.made.shape[-1])
        self.weights.records[self.key] = Record(forward, behind.reshape(-1), effective, ends)
        return behind

    def leave(self, field: Array) -> Array:
        """Paths from the inputs."""
        found: Array = np.matmul(self.inward.swapaxes(1, 2), field).sum(axis=0)
        return found

    def _ends(self, behind: Array) -> list[Ends]:
        """Ends of the connections from the inputs and from the hidden units, ``(directions, gates, hidden, in)``."""
        live_out = (behind[..., 0] > 0)[:, None, :, None]
        live_hidden = np.logical_or.reduce(self.made, axis=2)[:, None, None]
        sources = (self.live_in[None, None, None], live_hidden)
        return [
            Ends((block.directions, block.gates, live_out.shape[2], block.shape[1]), source, live_out)
            for block, source in zip((self.first, self.second), sources, strict=True)
        ]

    def _whole(self, field: Array) -> Array:
        return _broadcast(field, self.within.shape[:2])


def per_gate(block: Block) -> Array:
    """Float ``(directions, gates, hidden, in)``."""
    edges = np.ones(block.shape) if block.mask is None else block.mask.astype(np.float64)
    return edges.reshape(block.directions, block.gates, -1, block.shape[1])


def _gates_summed(block: Block) -> Array:
    found: Array = per_gate(block).sum(axis=1)
    return found


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
