"""The unit graph of a small network: neurons and channels as nodes, unmasked connections as edges.

Units are the outputs of the operators with weights, the inputs of the network, and the joins (sums of several operators).
All other operators pass units on. The propagation that counts paths (`onnx_graph.propagation`) follows the units through them:
it is given the number of every unit and its square. If an operator averages over several units, the square no longer fits the
number, and one hub unit stands for all units that were mixed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from onnx_graph.propagation import KEPT, NUMBERS, Pick, Put, Relation, Stretch, forward, without_gates
from predictors.paths.canonical_call import relation_of
from predictors.paths.connections import connections
from predictors.paths.flow import source_axes
from predictors.paths.weight_flow import Array, per_gate
from predictors.reading.attributes import Shape
from predictors.reading.canonical_graph import Block, CanonicalGraph, Operator

LARGEST = 8192
"""Maximal number of connections of a unit graph: a larger network is represented by its operators only."""
_MOST_DRAWN = 64 * LARGEST  # connections before duplicates are merged: limits the memory
UNIT_FEATURES = ("log_fan_in", "log_fan_out", "is_input", "is_join")

Numbers = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class UnitGraph:
    """The units of a network and their connections.

    Attributes:
        owner: node of the structure graph that every unit belongs to, int32 ``(units,)``, sorted; units without a node have −1
            and come last.
        features: features of the units, float32 ``(units, len(UNIT_FEATURES))``; degrees count kernel positions and gates.
        edges: connections without repetition, int32 ``(2, connections)``: sources, then targets; sorted by target.
    """

    owner: Numbers
    features: NDArray[np.float32]
    edges: Numbers

    @classmethod
    def without_units(cls) -> "UnitGraph":
        """The unit graph without units."""
        return cls(np.zeros(0, np.int32), np.zeros((0, len(UNIT_FEATURES)), np.float32), np.zeros((2, 0), np.int32))


class _TooLargeError(Exception):
    """The network has more connections than a unit graph may have."""


def unit_graph(graph: CanonicalGraph, rows: Mapping[int, int], number: int = 0) -> UnitGraph | None:
    """The unit graph of a small network; None if it has too many connections or no weights.

    Args:
        graph: the canonical graph.
        rows: node of the structure graph by ``id`` of its operator; operators that only reshape are missing.
        number: number of the network among those that the graph stands for.
    """
    blocks = [block for operator in graph.operators for block in operator.blocks]
    if not blocks or sum(block.counts[number] // max(prod(block.shape[2:]), 1) for block in blocks) > LARGEST:
        return None
    builder = _Builder(graph, rows, number)
    try:
        return builder.build()
    except _TooLargeError:
        return None


class _Builder:
    """A builder of the unit graph: the units found so far, and their positions in every value."""

    def __init__(self, graph: CanonicalGraph, rows: Mapping[int, int], number: int) -> None:
        self.graph, self.rows, self.number = graph, rows, number
        self.shapes: list[Shape] = [() if shape is None else shape for shape in graph.shapes]
        self.places: dict[int, Array] = {}
        self.owners: list[tuple[int, int, int]] = []  # node, count, kind: 0 layer, 1 input, 2 join
        self.units = self.drawn = 0
        self.edges: list[tuple[Numbers, Numbers, NDArray[np.float32]]] = []

    def build(self) -> UnitGraph | None:
        readers: dict[int, list[Operator]] = {}
        for operator in self.graph.operators:
            for value in operator.inputs:
                readers.setdefault(value, []).append(operator)
        for operator in self.graph.operators:
            if operator.kind == "input":
                self._input(operator, readers)
            elif operator.kind != "output":
                self._operator(operator)
        return self._finished() if self.owners else None

    def _input(self, operator: Operator, readers: dict[int, list[Operator]]) -> None:
        value = operator.outputs[0]
        shape = self.shapes[value]
        axes = source_axes(value, shape, readers)
        found = self.fresh(operator, prod(shape[axis] for axis in axes), 1)
        self.places[value] = _marked(found, tuple(size if axis in axes else 1 for axis, size in enumerate(shape)))

    def _operator(self, operator: Operator) -> None:
        known = [self.places[value] for value in operator.inputs if value in self.places]
        if not known or not operator.outputs:
            return
        after = [self.shapes[value] for value in operator.outputs]
        made: Sequence[Array] | None = None
        if len(known) == len(operator.inputs):
            made = self._made(operator, known, after)
        # All marks in `places` are exact, so those that are passed on unchanged need no check.
        if made is None or not all(one is known[0] or (one.size and _is_exact(one)) for one in made):
            hub = self._hub(operator, known)
            made = [_marked(hub, (1,) * len(shape)) for shape in after]
        self.places.update(zip(operator.outputs, made, strict=False))

    def _made(self, operator: Operator, places: list[Array], after: list[Shape]) -> Sequence[Array] | None:
        """The marks of the units in the outputs; None if only a hub can represent them."""
        relation = relation_of(operator, self.graph.shapes, self.graph.opset, self)
        if relation is KEPT and len(places) == len(after) == 1:
            return places
        relation = without_gates(relation)
        if relation.mixes or _leaves_gaps(relation, operator):
            return None
        if len(places) > 1 and _keeps_places(relation):
            return self._join(operator, places, after)
        if len(places) > 1 and not _joins_parts(relation):
            return None
        given: list[Array | None] = [None] * (max(operator.positions) + 1)
        for place, marks in zip(operator.positions, places, strict=True):
            given[place] = marks
        try:
            made = forward(relation, given, NUMBERS)
        except (ValueError, IndexError):
            return None
        found = [made[place] for place in operator.results if place < len(made)]
        known = [one for one in found if one is not None]
        return known if len(known) == len(operator.results) else None

    def product(self, operator: Operator) -> "_Product":
        """The weight of a dense layer or convolution, which makes new units."""
        return _Product(self, operator)

    def recurrence(self, operator: Operator, steps: int) -> "_Recurrence":
        """The weights of a recurrent operator, which make new units."""
        return _Recurrence(self, operator)

    def _join(self, operator: Operator, places: list[Array], after: list[Shape]) -> Sequence[Array] | None:
        """New units at positions where units of several operators are added or multiplied; if all are the same unit, that unit is kept."""
        rank = len(after[0])
        if any(one.ndim > rank + 1 for one in places):
            return None
        lifted = [one.reshape((1,) * (rank + 1 - one.ndim) + one.shape) for one in places]
        shape = np.broadcast_shapes(*(one.shape[:-1] for one in lifted))
        numbers = [np.broadcast_to(one[..., 0], shape).ravel().astype(np.int32) for one in lifted]
        if all(np.array_equal(one, numbers[0]) for one in numbers[1:]):
            return [np.broadcast_to(lifted[0], (*shape, 2))]
        units = self.fresh(operator, prod(shape), 2)
        for one in numbers:
            self.connect(one, units, np.ones(len(units)))
        return [_marked(units, shape)]

    def _hub(self, operator: Operator, places: Sequence[Array]) -> Numbers:
        """One unit that all units of the inputs connect to."""
        sources = np.unique(np.concatenate([one[..., 0].ravel() for one in places])).astype(np.int32)
        hub = self.fresh(operator, 1, 2)
        self.connect(sources, np.broadcast_to(hub, sources.shape), np.ones(len(sources)))
        return hub

    def fresh(self, operator: Operator, count: int, kind: int) -> Numbers:
        """New units; hubs in operators that only reshape belong to no node (−1)."""
        self.owners.append((self.rows.get(id(operator), -1), count, kind))
        self.units += count
        if self.units > 2 * LARGEST:
            raise _TooLargeError
        return np.arange(self.units - count, self.units, dtype=np.int32)

    def connect(self, sources: Numbers, targets: Numbers, counts: NDArray[np.floating]) -> None:
        """Connect units; duplicates are allowed."""
        self.drawn += len(sources)
        if self.drawn > _MOST_DRAWN:
            raise _TooLargeError
        self.edges.append((sources, targets, counts))

    def _finished(self) -> UnitGraph:
        nodes, numbers, kinds = (np.array(column) for column in zip(*self.owners, strict=True))
        sources, targets, counts = (
            np.concatenate([edge[place] for edge in self.edges] or [np.zeros(0, np.int32)]) for place in range(3)
        )
        owner, kind = np.repeat(nodes, numbers), np.repeat(kinds, numbers)
        # Sort by node: nodes are in canonical order, so a network gives the same arrays for any order of nodes in the file.
        order = np.argsort(np.where(owner < 0, len(self.rows), owner), kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(self.units)
        features = np.empty((self.units, len(UNIT_FEATURES)), np.float32)
        features[:, 0] = np.log1p(np.bincount(targets, counts, self.units))[order]
        features[:, 1] = np.log1p(np.bincount(sources, counts, self.units))[order]
        features[:, 2], features[:, 3] = kind[order] == 1, kind[order] == 2
        # Duplicates, as from a flattened channel, become one connection; the degrees count each of them.
        pairs = np.unique(place[targets] * self.units + place[sources])
        if len(pairs) > LARGEST:
            raise _TooLargeError
        return UnitGraph(
            owner=owner[order].astype(np.int32),
            features=features,
            edges=np.stack(np.divmod(pairs, self.units)[::-1]).astype(np.int32),
        )


class _Product:
    """The weight of a dense layer or convolution as a map from marks ``(…, in or 1, 2)`` to marks of new units."""

    def __init__(self, builder: _Builder, operator: Operator) -> None:
        """The units belong to the operator."""
        self.builder, self.operator = builder, operator

    def forward(self, field: Array) -> Array:
        """Make new units and connect them to the units they read; raises `ValueError` if several units are mixed at one position."""
        block = self.operator.blocks[0]
        sources, inner = _collapsed(field), block.shape[1] * block.groups
        if len(sources) not in (1, inner) or not _is_exact(sources):
            raise ValueError("it reads several units at one place")
        units = self.builder.fresh(self.operator, block.shape[0], 0)
        out, within, count = _connections(block, self.builder.number)
        position = out // (block.shape[0] // block.groups) * block.shape[1] + within
        self.builder.connect(_numbers(sources, inner)[position], units[out], count)
        return _marked(units, (*(1,) * (field.ndim - 2), len(units)))

    def backward(self, field: Array) -> Array:
        """Units are followed forward only."""
        raise NotImplementedError


class _Recurrence:
    """The weights of a recurrent operator as a map from marks ``(in or 1, 2)`` to marks of new hidden units."""

    def __init__(self, builder: _Builder, operator: Operator) -> None:
        """The units belong to the operator."""
        self.builder, self.operator = builder, operator

    def enter(self, field: Array) -> Array:
        """Make new units, connected to their inputs and each other; raises `ValueError` if several units are mixed at one position."""
        first, second = self.operator.blocks
        hidden = second.shape[1]
        if len(field) not in (1, first.shape[1]) or not _is_exact(field):
            raise ValueError("it reads several units at one place")
        units = self.builder.fresh(self.operator, first.directions * hidden, 0)
        for block, numbers in ((first, None), (second, units.reshape(-1, hidden))):
            edges = per_gate(block)
            counts = edges[self.builder.number if len(edges) > 1 else 0].sum(axis=1)
            direction, out, within = np.nonzero(counts)
            source = _numbers(field, block.shape[1])[within] if numbers is None else numbers[direction, within]
            self.builder.connect(source, units[direction * hidden + out], counts[direction, out, within])
        return _marked(units, (first.directions, hidden))

    def run(self, field: Array) -> Array:
        """The same units at every step."""
        return field

    def run_back(self, field: Array) -> Array:
        """Units are followed forward only."""
        raise NotImplementedError

    leave = run_back


def _keeps_places(relation: Relation) -> bool:
    """Whether every position of the output reads the same position of the inputs."""
    return all(isinstance(step, Stretch) for stage in relation.stages for path in stage for step in path.steps)


def _joins_parts(relation: Relation) -> bool:
    return all(any(isinstance(step, Put) for step in path.steps) for stage in relation.stages for path in stage)


def _leaves_gaps(relation: Relation, operator: Operator) -> bool:
    """Whether some positions of an output hold constants, which are not units."""
    steps = [step for stage in relation.stages for path in stage for step in path.steps]
    if any(isinstance(step, Pick) and (step.places < 0).any() for step in steps):
        return True
    puts = [step.part for step in steps if isinstance(step, Put)]
    return bool(puts) and sum(part.stop - part.start for part in puts) < puts[0].length


def _marked(numbers: Numbers, shape: Shape) -> Array:
    """Marks: unit numbers and their squares, ``(*shape, 2)``."""
    found = np.empty((*shape, 2))
    found[..., 0] = numbers.reshape(shape)
    found[..., 1] = found[..., 0] ** 2
    return found


def _is_exact(rows: Array) -> bool:
    """Whether all marks ``(…, 2)`` stand for single units, not for averages over several."""
    numbers = rows[..., 0]
    return bool((np.abs(numbers * numbers - rows[..., 1]) < 0.1).all())


def _collapsed(columns: Array) -> Array:
    """Marks ``(…, units, 2)`` averaged to ``(units, 2)``; where positions differ, the result is not exact."""
    places = columns.reshape(-1, *columns.shape[-2:])
    return np.asarray(places.mean(axis=0) if len(places) != 1 else places[0])


def _numbers(marks: Array, count: int) -> Numbers:
    """Unit numbers of `count` inputs from marks ``(count or 1, 2)``."""
    return np.broadcast_to(np.rint(marks[:, 0]).astype(np.int32), (count,))


def _connections(block: Block, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]:
    """Output, input within its group, and number of kernel positions of every connection of one network."""
    out, inner = block.shape[:2]
    kernel = prod(block.shape[2:])
    if block.masks is None:
        rows, columns = np.divmod(np.arange(out * inner), inner)
        return rows, columns, np.full(out * inner, kernel, np.float64)
    counts = connections(block.masks[number])
    rows, columns = np.nonzero(counts)
    return rows, columns, counts[rows, columns]
