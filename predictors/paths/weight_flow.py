"""How paths pass through weights: masks as linear maps over units, and the paths that go through a recurrent layer's steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from predictors.paths.connections import connections
from predictors.paths.flow_rules import Array, Result, mix, total
from predictors.reading.attributes import Shape, integer
from predictors.reading.canonical_graph import Block, Operator

_CHUNK = 1 << 22  # entries of a mask turned into numbers at once
_STEPS = 15  # through a recurrent layer


@dataclass(slots=True, eq=False)
class Record:
    """What passed through one weight.

    Attributes:
        forward: paths from the sources to every unit, ``(units, sources)``, on a scale of its own.
        backward: paths from every unit to the outputs, ``(units,)``, on a scale of its own.
        effective: of every block, the non-zeros that lie on a path from an input to an output.
    """

    forward: Array
    backward: Array
    effective: list[int]


class Linear:
    """A mask as a linear map over the second to last axis of a flow; groups are blocks of the diagonal."""

    def __init__(self, block: Block) -> None:
        """Prepare the map of one block, kernel positions summed."""
        self.groups = block.groups
        self.out, self.inner = block.shape[0], block.shape[1]
        self.kernel = prod(block.shape[2:])
        self.mask = block.mask
        self.empty = block.nnz == 0  # may be of any size: made by the graph itself, it takes no memory
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
        """Non-zeros between live inputs ``(in,)`` and live units ``(out,)``."""
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


def linear(
    operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape], records: dict[int, Record]
) -> Result:
    """Dense layers and convolutions; leaves a `Record` when run backwards."""
    block = operator.blocks[0]
    product = Linear(block)
    rank = flows[0].ndim - 1
    flattened, axis = _unit_axis(operator, rank)
    columns = columns_of(operator, flows[0], before[0])
    if columns.shape[-2] not in (1, product.sources):
        return mix(operator, flows, before, after)
    made = product.forward(columns)
    image = operator.kind != "dense" or flattened

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        gradient = gradients[0]
        if gradient is None:
            return [None] * len(flows)
        behind = _channels(gradient) if image else (gradient if axis == rank - 1 else gradient.swapaxes(axis, rank - 1))
        records[id(operator)] = _record(product, columns, made, behind)
        found = product.backward(behind)
        if flattened:
            found = _broadcast(found, (product.sources,)).reshape(1, *before[0][1:], 1)
        elif image:
            found = found.reshape(1, found.shape[-2], *(1,) * (rank - 2), 1)
        elif axis != rank - 1:
            found = found.swapaxes(axis, rank - 1)
        return [found, *(total(gradient, len(shape)) for shape in before[1:])]

    return [outward_of(operator, columns, made, after[0])], backward


def _unit_axis(operator: Operator, rank: int) -> tuple[bool, int]:
    """Whether a dense layer reads its input flattened, and the axis of the units that a layer reads."""
    flattened = operator.kind == "dense" and operator.unit_axis == 1
    return flattened, operator.unit_axis % max(rank, 1) if operator.kind == "dense" else min(1, rank - 1)


def columns_of(operator: Operator, source: Array, before: Shape) -> Array:
    """The flow that a dense layer or convolution reads, ``(…, in or 1, sources)``."""
    rank = source.ndim - 1
    flattened, axis = _unit_axis(operator, rank)
    if flattened:
        return _flatten(source, before)
    if operator.kind == "dense":
        return source if axis == rank - 1 else source.swapaxes(axis, rank - 1)
    return _channels(source)


def outward_of(operator: Operator, columns: Array, made: Array, after: Shape) -> Array:
    """The flow ``(…, out, sources)`` of its units in the axes of its output; `columns` is what it read."""
    flattened = operator.kind == "dense" and operator.unit_axis == 1
    if operator.kind != "dense" or flattened:
        return made.reshape(1, made.shape[-2], *(1,) * (len(after) - 2), made.shape[-1])
    rank = columns.ndim - 1
    axis = operator.unit_axis % max(rank, 1)
    made = made.reshape((1,) * (columns.ndim - made.ndim) + made.shape)
    return made if axis == rank - 1 else made.swapaxes(axis, rank - 1)


def _record(product: Linear, columns: Array, made: Array, behind: Array) -> Record:
    forward = _broadcast(_collapsed(made), (product.out,))
    backward = _broadcast(_collapsed(behind), (product.out,))[:, 0]
    inputs = np.logical_or.reduce(_collapsed(columns), axis=1)
    live_in = inputs if len(inputs) == product.sources else np.broadcast_to(inputs, (product.sources,))
    return Record(forward, backward, [product.effective(live_in, backward > 0)])


def _product(edges: Array, flow: Array) -> Array:
    found: Array = np.matmul(edges, flow)
    return found


def _collapsed(flow: Array) -> Array:
    """Flow ``(…, units, sources)`` as ``(units, sources)``, averaged over the places before."""
    if flow.ndim == 2:
        return flow
    if flow.ndim == 3 and len(flow) == 1:
        return flow.reshape(flow.shape[1:])
    found: Array = flow.mean(axis=tuple(range(flow.ndim - 2)))
    return found


def recurrent(
    operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape], records: dict[int, Record]
) -> Result:
    """RNN, GRU and LSTM: paths through at most `_STEPS` steps, gates summed, the same at every step."""
    if len(operator.blocks) != 2 or flows[0].ndim != 4 or operator.positions[0] != 0:
        return mix(operator, flows, before, after)
    first, second = operator.blocks
    hidden = second.shape[1]
    inward = _gates_summed(first)
    within = _gates_summed(second)
    flat = flows[0].mean(axis=(0, 1))
    if flat.shape[0] not in (1, inward.shape[2]):
        return mix(operator, flows, before, after)
    source = _broadcast(flat, (inward.shape[2],))
    steps = min(max(max(before[0][:2]) - 1, 0), _STEPS)
    made = _closure(within, np.matmul(inward, source), steps)

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        behind = np.zeros((first.directions, hidden, 1))
        for gradient, shape in zip(gradients, after, strict=True):
            if gradient is not None:
                behind += _hidden(gradient, shape, first.directions, hidden)
        behind = _closure(within.swapaxes(1, 2), behind, steps)
        live_out = behind[..., 0] > 0
        live_in = np.logical_or.reduce(source, axis=1)
        live_hidden = np.logical_or.reduce(made, axis=2)[:, None]
        effective = [
            int((per_gate(first) * live_in * live_out[:, None, :, None]).sum()),
            int((per_gate(second) * live_hidden[:, :, None] * live_out[:, None, :, None]).sum()),
        ]
        records[id(operator)] = Record(made.reshape(-1, made.shape[-1]), behind.reshape(-1), effective)
        found = np.matmul(inward.swapaxes(1, 2), behind).sum(axis=0)[None, None]
        return [found, *(total(behind[None], len(shape)) for shape in before[1:])]

    return recurrent_outward(operator, made, after), backward


def recurrent_outward(operator: Operator, made: Array, after: list[Shape]) -> list[Array]:
    """The flow ``(directions, hidden, sources)`` of the hidden units in the axes of every output."""
    outward = []
    for shape in after:
        by_direction = made[None, :, None] if len(shape) == 4 else made[:, None]
        layout = integer(operator.settings, "layout", 0)
        outward.append(np.moveaxis(by_direction, -4 if len(shape) == 4 else 0, -3) if layout else by_direction)
    return outward


def _hidden(gradient: Array, shape: Shape, directions: int, hidden: int) -> Array:
    """Gradient of a recurrent output, ``(directions, hidden, 1)``: averaged over steps and examples."""
    if len(shape) == 4:
        axis = 1 if gradient.shape[1] == directions or gradient.shape[2] != directions else 2
        others = tuple(other for other in (0, 1, 2) if other != axis)
        return np.broadcast_to(gradient.mean(axis=others), (directions, hidden, 1))
    axis = 0 if gradient.shape[0] == directions else 1
    return np.broadcast_to(gradient.mean(axis=1 - axis), (directions, hidden, 1))


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
    """The flow with an axis of full length."""
    if flow.shape[axis] == size:
        return flow
    shape = list(flow.shape)
    shape[axis] = size
    return np.broadcast_to(flow, shape)


def _broadcast(flow: Array, leading: Shape) -> Array:
    if flow.shape[:-1] == leading:
        return flow
    return np.broadcast_to(flow, (*leading, flow.shape[-1]))


def _channels(flow: Array) -> Array:
    """Flow of an image by channel, ``(channels or 1, sources)``."""
    if flow.ndim == 2:
        return flow
    others = (0, *range(2, flow.ndim - 1))
    found: Array = flow.mean(axis=others)
    return found


def _flatten(flow: Array, shape: Shape) -> Array:
    """Flow ``(…, sources)`` of one example as ``(elements or 1, sources)``."""
    if all(size == 1 for size in flow.shape[1:-1]):
        found: Array = flow.mean(axis=0).reshape(1, -1)
        return found
    return np.broadcast_to(flow.mean(axis=0), (*shape[1:], flow.shape[-1])).reshape(-1, flow.shape[-1])
