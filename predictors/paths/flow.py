"""Paths through the canonical graph: from the inputs to every unit, and from every unit to the outputs.

A graph may stand for several networks with masks of their own; they are followed at once (see `predictors.paths.weight_flow`).

With all weights one, the flow of a unit is its number of paths (per source). Numbers of paths overflow quickly, so
every flow is kept as an array near 1 and a logarithm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import frexp, log, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnx_graph.operators import CONVOLUTIONS, POOLS, RECURRENT
from onnx_graph.propagation import KEPT, NOTHING, NUMBERS, Relation, backward, forward, mixed, mixing
from predictors.paths.canonical_call import relation_of
from predictors.paths.weight_flow import Array, CountedWeights, Record, apart
from predictors.reading.attributes import Shape
from predictors.reading.canonical_graph import CanonicalGraph, Operator

_SMALLEST = 1e-100  # relative to a flow's largest entry: keeps positive entries positive
_SAFE = 200.0
_LOG2 = log(2.0)
_MOST_UNITS = 1 << 18  # of an input or an output, that are distinguished
_BUDGET = 10_000_000  # multiplications: determines how many sources are distinguished
_FIRST = [0]  # positions of the inputs or outputs of an operator that has only one
_LARGEST = 1 << 22  # maximal number of entries of the inputs' flows
MOST_SOURCES, _FEWEST_SOURCES = 1024, 32
_THROUGH = frozenset(
    {"reshape", "transpose", "affine", "batch_norm", "layer_norm", "pad", "slice", "quantise", "pointwise", "clip"}
)
_BY_CHANNEL = CONVOLUTIONS | POOLS | {"lrn", "resize"}


@dataclass(slots=True, eq=False)
class Flow:
    """Result of `propagate`.

    Attributes:
        records: records by ``id`` of every operator with weights that lies on a path from input to output.
        forward_log, backward_log: logarithms of the scales of the record's `forward` and `backward`, by the same key.
        outputs: flow of every graph output, ``(networks, units, sources)``, and its logarithm.
        sources: number of columns that stand for one source each; one more column at the end stands for all other sources.
        networks: number of networks.
        covered: share of the units of the inputs that some path connects to an output, ``(networks,)``.
        paths: logarithm of the number of paths from inputs to outputs, ``(networks,)``; 0 if there is none.
        inputs: use of every graph input, in order.
        unneeded: ``id`` of every operator that no output depends on.
    """

    sources: int
    networks: int
    records: dict[int, Record] = field(default_factory=dict)
    forward_log: dict[int, float] = field(default_factory=dict)
    backward_log: dict[int, float] = field(default_factory=dict)
    outputs: list[tuple[Array, float]] = field(default_factory=list)
    covered: Array = field(default_factory=lambda: np.zeros(1))
    paths: Array = field(default_factory=lambda: np.zeros(1))
    inputs: list["InputFlow"] = field(default_factory=list)
    unneeded: set[int] = field(default_factory=set)

    def summary_of(self, numbers: NDArray[np.int64]) -> "Flow":
        """What the features of whole graphs read of some of the networks: outputs, covered inputs and paths."""
        outputs = [(array[numbers], scale) for array, scale in self.outputs]
        return Flow(
            self.sources, len(numbers), outputs=outputs, covered=self.covered[numbers], paths=self.paths[numbers]
        )


class InputFlow(NamedTuple):
    """How a network uses the units of one of its inputs.

    Attributes:
        shape: shape of one example.
        axes: axes of `shape` along which units are distinguished; they are numbered row by row.
        edges: number of live connections from every unit to the layers that read nothing but the input, ``(networks, units)``;
            kernel positions and gates count.
        paths: number of paths from every unit to the outputs, ``(networks, units)``, on a scale of its own.
    """

    shape: Shape
    axes: tuple[int, ...]
    edges: Array
    paths: Array


def propagate(graph: CanonicalGraph, *, distinct_sources: bool = True) -> Flow:
    """Count paths forward and back through the whole graph.

    Args:
        graph: the graph.
        distinct_sources: whether paths are counted for each source. Counting those from all sources together takes a fraction of the
            time.
    """
    shapes = [() if shape is None else shape for shape in graph.shapes]
    state = _State(graph, shapes, distinct_sources=distinct_sources)
    state.run_forward()
    state.run_backward()
    return state.flow


class _State:
    """The state of a walk through the graph: flows of all values."""

    def __init__(self, graph: CanonicalGraph, shapes: list[Shape], *, distinct_sources: bool) -> None:
        self.graph, self.shapes = graph, shapes
        self.forward: dict[int, tuple[Array, float]] = {}
        self.backward: dict[int, tuple[Array, float]] = {}
        self.tape: list[tuple[Operator, Relation]] = []
        self.networks = graph.networks
        starts, sources = _sources(graph, shapes, _limit(graph) if distinct_sources else 0)
        self.starts = {value: np.tile(start, self.networks) for value, start in starts.items()}
        self.flow = Flow(sources, self.networks)
        self.weights = CountedWeights(self.networks, self.flow.records)
        self.unlayered = set(self.starts)  # values that no layer has changed yet
        self.edges: dict[int, Array] = {}

    def run_forward(self) -> None:
        for operator in self.graph.operators:
            if operator.kind == "input":
                self.forward[operator.outputs[0]] = (self.starts[operator.outputs[0]], 0.0)
                continue
            if operator.kind == "output":
                for value in operator.inputs:
                    array, scale = self.forward[value]
                    self.flow.outputs.append((apart(_units(array, self.shapes[value]), self.networks), scale))
                continue
            flows, scale = _aligned([self.forward[value] for value in operator.inputs])
            made, relation = self._made(operator, flows)
            self.tape.append((operator, relation))
            grows = operator.blocks or len(flows) > 1
            for value, array in zip(operator.outputs, made, strict=False):
                self.forward[value] = _normalised(array, scale) if grows else (array, scale)
            if operator.blocks:
                self.flow.forward_log[id(operator)] = scale
            elif self.unlayered.issuperset(operator.inputs):
                self.unlayered.update(operator.outputs)

    def _made(self, operator: Operator, flows: list[Array]) -> tuple[list[Array], Relation]:
        """Flows of an operator's outputs, and the relation that was used."""
        ranks = [len(self.shapes[value]) for value in operator.outputs]
        if not flows or not ranks:
            return [np.ones((1,) * (rank + 1)) for rank in ranks], NOTHING
        relation = relation_of(operator, self.graph.shapes, self.graph.opset, self.weights)
        found = _passed(relation, flows, operator.positions, operator.results, ranks)
        if found is None:
            relation = mixing("its shapes contradict each other")
            found = _passed(relation, flows, operator.positions, operator.results, ranks) or []
        width = flows[0].shape[-1]
        return [
            np.zeros((*(1,) * rank, width)) if one is None else one for one, rank in zip(found, ranks, strict=True)
        ], relation

    def _needed(
        self, operator: Operator, relation: Relation, gradients: Sequence[Array | None]
    ) -> Sequence[Array | None]:
        """Backward flows of an operator's inputs from the backward flows of its outputs."""
        ranks = [len(self.shapes[value]) for value in operator.inputs]
        return _passed(relation, gradients, operator.results, operator.positions, ranks, back=True) or [None] * len(
            ranks
        )

    def run_backward(self) -> None:
        for operator in self.graph.operators:
            for value in operator.inputs if operator.kind == "output" else ():
                self._add(value, np.ones((*(1,) * len(self.shapes[value]), self.networks)), 0.0)
        for operator, relation in reversed(self.tape):
            found = [self.backward.get(value) for value in operator.outputs]
            known = [one for one in found if one is not None]
            if not known:
                self.flow.unneeded.add(id(operator))
                continue
            aligned, scale = _aligned(known)
            remaining = iter(aligned)
            gradients = [None if one is None else next(remaining) for one in found]
            for value, gradient in zip(operator.inputs, self._needed(operator, relation, gradients), strict=False):
                if gradient is not None:
                    self._add(value, gradient, scale)
            if operator.blocks:
                self.flow.backward_log[id(operator)] = scale
            if not self.unlayered.isdisjoint(operator.inputs):
                self._count_edges(operator, relation)
        self._finish()

    def _count_edges(self, operator: Operator, relation: Relation) -> None:
        """Add the live connections that a first layer has from its input's units, or pass them on back to the input."""
        if operator.blocks:
            known = [self.backward.get(value) for value in operator.outputs]
            gradients = [None if one is None else (one[0] > 0).astype(np.float64) for one in known]
        else:
            gradients = [self.edges.get(value) for value in operator.outputs]
        if all(one is None for one in gradients):
            return
        self.weights.single = True
        needed = self._needed(operator, relation, gradients)
        self.weights.single = False
        for value, found in zip(operator.inputs, needed, strict=False):
            if found is not None and value in self.unlayered:
                before = self.edges.get(value)
                self.edges[value] = found if before is None or before.ndim != found.ndim else before + found

    def _add(self, value: int, gradient: Array, scale: float) -> None:
        known = self.backward.get(value)
        if known is None:
            self.backward[value] = _normalised(gradient, scale)
        else:
            (first, second), scale = _aligned([known, (gradient, scale)])
            self.backward[value] = _normalised(first + second, scale) if first.ndim == second.ndim else known

    def _finish(self) -> None:
        """Input coverage and the number of paths."""
        covered, total = np.zeros(self.networks), 0.0
        for value in self.starts:
            units = float(prod(self.shapes[value][1:]) if len(self.shapes[value]) > 1 else prod(self.shapes[value]))
            total += units
            array, _ = self.backward.get(value, (np.zeros(self.networks), 0.0))
            covered += units * (array > 0).mean(axis=tuple(range(array.ndim - 1)))
            self.flow.inputs.append(self._input_flow(value))
        self.flow.covered = covered / total if total else covered
        counts = np.array([array.sum(axis=(1, 2)) for array, _ in self.flow.outputs]).reshape(-1, self.networks)
        scales = np.array([scale for _, scale in self.flow.outputs]).reshape(-1, 1)
        some = counts > 0
        logs = np.where(some, np.log(np.where(some, counts, 1.0)) + scales, -np.inf)
        found = np.logaddexp.reduce(logs, axis=0)
        self.flow.paths = np.where(some.any(axis=0), found, 0.0)

    def _input_flow(self, value: int) -> InputFlow:
        shape, start = self.shapes[value], self.starts[value]
        axes = tuple(axis for axis in range(1, len(shape)) if start.shape[axis] > 1)
        nothing = np.zeros(self.networks)
        paths, edges = self.backward.get(value, (nothing, 0.0))[0], self.edges.get(value, nothing)
        return InputFlow(
            shape[1:], tuple(axis - 1 for axis in axes), _per_unit(edges, shape, axes), _per_unit(paths, shape, axes)
        )


def _per_unit(flow: Array, shape: Shape, axes: tuple[int, ...]) -> Array:
    """A backward flow of an input ``(…, networks)`` by unit, averaged over the other axes, ``(networks, units)``."""
    units, networks = tuple(shape[axis] for axis in axes), flow.shape[-1]
    if flow.ndim != len(shape) + 1:
        means = flow.mean(axis=tuple(range(flow.ndim - 1)))
        return np.broadcast_to(means[:, None], (networks, prod(units)))
    others = tuple(axis for axis in range(flow.ndim - 1) if axis not in axes)
    return np.broadcast_to(flow.mean(axis=others), (*units, networks)).reshape(-1, networks).T


def _passed(
    relation: Relation,
    flows: Sequence[Array | None],
    places: Sequence[int],
    ends: Sequence[int],
    ranks: Sequence[int],
    *,
    back: bool = False,
) -> list[Array | None] | None:
    """Flows at the positions `ends`, with the given ranks, from the flows at the positions `places`; None if they fit no shape."""
    if relation is KEPT and len(flows) == len(ends) == 1 and flows[0] is not None and flows[0].ndim == ranks[0] + 1:
        return [flows[0] if flows[0].size else _nothing(flows[0])]
    given: Sequence[Array | None] = flows if places == _FIRST else _placed(flows, places)
    if relation.mixes:
        return mixed(given, ranks, NUMBERS)
    try:
        made = (backward if back else forward)(relation, given, NUMBERS)
    except (ValueError, IndexError):
        return None
    found = []
    for end, rank in zip(ends, ranks, strict=True):
        one = made[end] if end < len(made) else None
        if one is not None and one.ndim != rank + 1:
            return None
        found.append(one if one is None or one.size else _nothing(one))
    return found


def _placed(flows: Sequence[Array | None], places: Sequence[int]) -> list[Array | None]:
    """Flows at their positions among all inputs or outputs of a node."""
    found: list[Array | None] = [None] * (max(places, default=-1) + 1)
    for place, flow in zip(places, flows, strict=True):
        found[place] = flow
    return found


def _nothing(flow: Array) -> Array:
    """Zeros instead of a flow with an empty axis, which has no mean."""
    return np.zeros((*(1,) * (flow.ndim - 1), flow.shape[-1]))


def _normalised(array: Array, scale: float) -> tuple[Array, float]:
    """The flow divided by the power of two nearest to its largest entry, and its logarithmic scale, increased accordingly."""
    largest = float(array.max()) if array.size else 0.0
    if largest <= 0:
        return array, scale
    exponent = frexp(largest)[1]
    if exponent:
        array = array * 2.0**-exponent
    scale += exponent * _LOG2
    # A positive number of paths is hardly ever below one, so only strongly scaled flows come near the smallest float.
    if scale > _SAFE:
        array = np.where((array > 0) & (array < _SMALLEST), _SMALLEST, array)
    return array, scale


def _aligned(flows: Sequence[tuple[Array, float]]) -> tuple[list[Array], float]:
    """Flows on one common scale, the largest of their scales."""
    if len(flows) == 1:
        return [flows[0][0]], flows[0][1]
    scale = max((scale for array, scale in flows), default=0.0)
    return [array if own == scale else array * max(np.exp(own - scale), _SMALLEST) for array, own in flows], scale


def _units(array: Array, shape: Shape) -> Array:
    """A flow by unit, ``(units or 1, sources)``: the last axis of features, the channels of an image."""
    if array.ndim == 1:
        return array[None]
    axis = 1 if array.ndim - 1 >= 4 else array.ndim - 2
    others = tuple(other for other in range(array.ndim - 1) if other != axis)
    means = array.mean(axis=others) if others else array
    if not shape or means.shape[0] > 1:
        return means
    return np.broadcast_to(means, (min(shape[axis], _MOST_UNITS), means.shape[-1]))


def _sources(graph: CanonicalGraph, shapes: list[Shape], limit: int) -> tuple[dict[int, Array], int]:
    """Flow of every graph input: one column for each of `limit` units, evenly spaced; all others share one more column."""
    inputs = [operator.outputs[0] for operator in graph.operators if operator.kind == "input"]
    readers: dict[int, list[Operator]] = {}
    for operator in graph.operators:
        for value in operator.inputs:
            readers.setdefault(value, []).append(operator)
    axes = {value: source_axes(value, shapes[value], readers) for value in inputs}
    axes = {
        value: told if prod(shapes[value][axis] for axis in told) <= _MOST_UNITS else () for value, told in axes.items()
    }
    counts = {value: prod(shapes[value][axis] for axis in axes[value]) for value in inputs}
    total = sum(counts.values())
    limit = min(limit, max(_LARGEST // max(total, 1), 1))
    told = min(total, limit)
    chosen = np.arange(total) if total <= limit else np.linspace(0, total - 1, limit).round().astype(np.int64)
    column = np.full(total, told)
    column[chosen] = np.arange(told)
    width = told + (total > told)
    starts: dict[int, Array] = {}
    first = 0
    for value in inputs:
        count = counts[value]
        flow = np.zeros((count, max(width, 1)))
        flow[np.arange(count), column[first : first + count]] = 1.0
        kept = axes[value]
        starts[value] = flow.reshape(*(size if axis in kept else 1 for axis, size in enumerate(shapes[value])), -1)
        first += count
    return starts, told


def _limit(graph: CanonicalGraph) -> int:
    """Number of sources that are distinguished: many for a small graph."""
    size = sum(
        prod(block.shape) for operator in graph.operators for block in operator.blocks if block.masks is not None
    )
    return int(min(max(_BUDGET // max(size, 1), _FEWEST_SOURCES), MOST_SOURCES))


def source_axes(value: int, shape: Shape, readers: dict[int, list[Operator]]) -> tuple[int, ...]:
    """Axes of an input along which its units are distinguished: channels for images, features for sequences, else all axes."""
    if len(shape) < 2:
        return tuple(range(len(shape)))
    kinds: set[str] = set()
    seen, waiting = {value}, [value]
    while waiting:
        for operator in readers.get(waiting.pop(), ()):
            kinds.add(operator.kind)
            if operator.kind in _THROUGH:
                fresh = [output for output in operator.outputs if output not in seen]
                seen.update(fresh)
                waiting.extend(fresh)
    if kinds & RECURRENT:
        return (len(shape) - 1,)
    if kinds & _BY_CHANNEL and len(shape) >= 3:
        return (1,) if shape[1] <= shape[-1] else (len(shape) - 1,)
    if "dense" in kinds and prod(shape[1:]) <= 16384:
        return tuple(range(1, len(shape)))
    return (len(shape) - 1,) if shape[-1] <= 16384 else ()
