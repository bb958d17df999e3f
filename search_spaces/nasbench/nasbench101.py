"""Space of the NAS-Bench-101 cells (Ying et al. 2019, arXiv:1902.09635): graphs of at most seven vertices and nine edges.

A cell is written without vertices that lead nowhere. Its inner vertices are sorted by their distance from the input, then by their
operation and the number of their edges; of the orders that are left, the one that gives the smallest number is taken. So isomorphic
cells are one candidate.
"""

from collections.abc import Mapping, Sequence, Set
from itertools import chain, combinations, groupby, permutations, product
from typing import Any

import numpy as np
import onnx_ir as ir

from search_spaces.candidate import Candidate, Json
from search_spaces.errors import InvalidCandidateError, InvalidOptionError
from search_spaces.genes import Gene, choice, flag
from search_spaces.nasbench.cell_space import CellSpace
from search_spaces.nasbench.network101 import (
    MOST_EDGES,
    MOST_VERTICES,
    OPERATIONS,
    Edge,
    edges_of,
    nasbench101_network,
)
from search_spaces.space import TrialLike

PAIRS = tuple(combinations(range(MOST_VERTICES), 2))
"""All possible edges, each a gene that is on or off."""
INNER = range(1, MOST_VERTICES - 1)
_PAIR = {f"{source}-{target}": (source, target) for source, target in PAIRS}
_DROPPED = tuple(PAIRS[place] for place in np.random.default_rng(0).permutation(len(PAIRS)))
"""The order in which edges are dropped; a plain order would leave the cells without an edge into the last vertices."""
ORDERS = tuple((0, *order, MOST_VERTICES - 1) for order in permutations(INNER))
"""The new place of every vertex, for every order of the inner ones."""
_BIT = {pair: place for place, pair in enumerate(PAIRS)}
_OPERATION_BIT = {vertex: len(PAIRS) + len(OPERATIONS) * (vertex - 1) for vertex in INNER}

Cell = tuple[frozenset[Edge], Mapping[int, int]]
"""Edges between vertices 0 to 6, and the operations of the inner vertices that have edges, by vertex."""


class NASBench101Space(CellSpace):
    """NAS-Bench-101 cells; a table has the arrays ``edge_bits`` ``(N,)``, ``ops`` ``(N, 5)`` and ``n_vertices`` ``(N,)``.

    Bit x + y(y − 1)/2 of ``edge_bits`` means an edge from vertex x to vertex y > x; ``ops`` holds the operations of the inner vertices
    (0 conv3×3, 1 conv1×1, 2 maxpool3×3, −1 no vertex).
    """

    name = "nasbench101"

    def cell(self, trial: TrialLike) -> dict[str, Json]:
        """A flag for every edge, an operation for every inner vertex.

        Without a path from input to output, the edge between them is added; edges beyond the ninth are dropped in a fixed mixed order.
        """
        edges = {pair for pair in PAIRS if flag(trial, _edge_gene(pair))}
        operations = {vertex: OPERATIONS.index(choice(trial, _operation_gene(vertex), OPERATIONS)) for vertex in INNER}
        kept = _live(edges) or {(0, MOST_VERTICES - 1)}
        for pair in _DROPPED:
            if len(kept) > MOST_EDGES and (fewer := _live(kept - {pair})):
                kept = fewer
        return _written(_of_live(kept, operations))

    def genes(self, architecture: Mapping[str, Json]) -> dict[str, Gene]:
        """The edges, and the operations; of vertices without edges, the first."""
        edges, operations = _read(architecture)
        found: dict[str, Gene] = {_edge_gene(pair): pair in edges for pair in PAIRS}
        return found | {_operation_gene(vertex): OPERATIONS[operations.get(vertex, 0)] for vertex in INNER}

    def changes(self, architecture: Mapping[str, Json]) -> list[dict[str, Json]]:
        """One edge more or less, another operation, or a vertex more beside an edge; vertices that lead nowhere then are dropped."""
        edges, operations = _read(architecture)
        padded = {vertex: operations.get(vertex, 0) for vertex in INNER}
        several = [_possible(edges ^ {pair}, padded) for pair in PAIRS]
        several += [
            (edges, {**operations, vertex: other})
            for vertex, own in operations.items()
            for other in range(len(OPERATIONS))
            if other != own
        ]
        several += [
            _inserted(edges, operations, edge, kind) for edge in sorted(edges) for kind in range(len(OPERATIONS))
        ]
        written = [_written(one) for one in several if one is not None]
        return [one for one in written if one != dict(architecture)]

    def form(self, architecture: Mapping[str, Json]) -> int:
        """A bit for every edge, and three for the operation of every inner vertex."""
        return _bits(_parsed(architecture))

    def forms(self, architecture: Mapping[str, Json]) -> list[int]:
        """A form for every order of the inner vertices."""
        cell = _parsed(architecture)
        return sorted({_bits(moved) for order in ORDERS if (moved := _moved(cell, order)) is not None})

    def network(self, architecture: Mapping[str, Json]) -> ir.Model:
        """The network; its classes are those of the signature."""
        edges, operations = _read(architecture)
        count = len(operations) + 2
        place = {MOST_VERTICES - 1: count - 1}
        bits = sum(1 << (x + (y := place.get(target, target)) * (y - 1) // 2) for x, target in edges)
        ordered = [operations[vertex] for vertex in sorted(operations)]
        size = self.signature.input_shape[1]
        return nasbench101_network(bits, ordered, count, outputs=self.signature.outputs, size=size)

    def rows(self, table: Mapping[str, Sequence[Any]]) -> list[tuple[int, Candidate]]:
        """See `search_spaces.TabularSpace`."""
        missing = [name for name in ("edge_bits", "ops", "n_vertices") if name not in table]
        if missing:
            raise InvalidOptionError(
                f"a table of {self.name} needs the arrays edge_bits, ops and n_vertices; it has {', '.join(table)}"
            )
        found: dict[str, tuple[int, Candidate]] = {}
        cells = zip(table["edge_bits"], table["ops"], table["n_vertices"], strict=True)
        for row, (bits, operations, vertices) in enumerate(cells):
            one = self.candidate(_written(_of_row(row, int(bits), np.atleast_1d(operations).tolist(), int(vertices))))
            found.setdefault(one.digest, (row, one))
        return list(found.values())


def _edge_gene(pair: Edge) -> str:
    return f"{pair[0]}-{pair[1]}"


def _operation_gene(vertex: int) -> str:
    return f"operation {vertex}"


def _live(edges: Set[Edge]) -> set[Edge]:
    """The edges on a path from the input to the output."""
    reached, needed = {0}, {MOST_VERTICES - 1}
    for source, target in sorted(edges):
        if source in reached:
            reached.add(target)
    for source, target in sorted(edges, reverse=True):
        if target in needed:
            needed.add(source)
    return {edge for edge in edges if edge[0] in reached and edge[1] in needed}


def _of_live(edges: Set[Edge], operations: Mapping[int, int]) -> Cell:
    """The cell of live edges: vertices without edges have no operation."""
    used = set(chain.from_iterable(edges))
    return frozenset(edges), {vertex: operations[vertex] for vertex in INNER if vertex in used}


def _possible(edges: Set[Edge], operations: Mapping[int, int]) -> Cell | None:
    """The cell without vertices that lead nowhere; None if nothing is left or it has too many edges."""
    kept = _live(edges)
    return _of_live(kept, operations) if 1 <= len(kept) <= MOST_EDGES else None


def _inserted(edges: Set[Edge], operations: Mapping[int, int], beside: Edge, operation: int) -> Cell | None:
    """The cell with one vertex more, between the two ends of an edge, which stays; None if it has no place."""
    last, (first, second) = MOST_VERTICES - 1, beside
    if len(operations) == len(INNER):
        return None
    place = {vertex: vertex + (first < vertex < last) for vertex in range(MOST_VERTICES)}
    moved = {(place[source], place[target]) for source, target in edges}
    moved |= {(first, first + 1), (first + 1, place[second])}
    return _possible(moved, {first + 1: operation} | {place[vertex]: own for vertex, own in operations.items()})


def _moved(cell: Cell, order: Sequence[int]) -> Cell | None:
    """The cell with its vertices at other places; None if an edge would run backwards."""
    edges = frozenset((order[source], order[target]) for source, target in cell[0])
    if any(source > target for source, target in edges):
        return None
    return edges, {order[vertex]: operation for vertex, operation in cell[1].items()}


def _bits(cell: Cell) -> int:
    edges, operations = cell
    drawn = sum(1 << _BIT[edge] for edge in edges)
    return drawn + sum(1 << (_OPERATION_BIT[vertex] + operation) for vertex, operation in operations.items())


def _written(cell: Cell) -> dict[str, Json]:
    """The cell in its one form: inner vertices are 1, 2, …"""
    edges, operations = min((_moved_to(cell, order) for order in _sorted(cell)), key=_bits)
    return {
        "edges": [_edge_gene(edge) for edge in sorted(edges)],
        "operations": [OPERATIONS[operations[vertex]] for vertex in sorted(operations)],
    }


def _moved_to(cell: Cell, inner: Sequence[int]) -> Cell:
    """The cell with its inner vertices numbered in this order."""
    place = {0: 0, MOST_VERTICES - 1: MOST_VERTICES - 1} | {vertex: number for number, vertex in enumerate(inner, 1)}
    edges = frozenset((place[source], place[target]) for source, target in cell[0])
    return edges, {place[vertex]: operation for vertex, operation in cell[1].items()}


def _sorted(cell: Cell) -> list[tuple[int, ...]]:
    """All orders of the inner vertices in which their facts ascend; no edge runs backwards in any of them."""
    edges, operations = cell
    depth: dict[int, int] = {0: 0}
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        depth[target] = max(depth.get(target, 0), depth[source] + 1)
    facts = {
        vertex: (
            depth[vertex],
            operation,
            sum(one == vertex for one, _ in edges),
            sum(one == vertex for _, one in edges),
        )
        for vertex, operation in operations.items()
    }
    alike = [list(group) for _, group in groupby(sorted(facts, key=facts.__getitem__), key=facts.__getitem__)]
    return [tuple(chain.from_iterable(parts)) for parts in product(*map(permutations, alike))]


def _parsed(architecture: Mapping[str, Json]) -> Cell:
    """The edges and operations of a candidate; `InvalidCandidateError` if they are not such."""
    names, chosen = architecture.get("edges"), architecture.get("operations")
    sound = isinstance(names, list) and isinstance(chosen, list) and len(chosen) <= len(INNER)
    if not sound or not all(name in _PAIR for name in names) or not all(name in OPERATIONS for name in chosen):  # type: ignore[union-attr, operator]
        raise InvalidCandidateError(
            f"a cell of nasbench101 has edges such as '0-6' and at most five operations of {', '.join(OPERATIONS)}"
        )
    edges = frozenset(_PAIR[str(name)] for name in names)  # type: ignore[union-attr]
    return edges, {vertex: OPERATIONS.index(str(name)) for vertex, name in enumerate(chosen, 1)}  # type: ignore[arg-type]


def _read(architecture: Mapping[str, Json]) -> Cell:
    """The cell of a candidate; `InvalidCandidateError` if it is none or not in its one form."""
    edges, operations = _parsed(architecture)
    found = _possible(edges, {vertex: operations.get(vertex, 0) for vertex in INNER})
    if found != (edges, operations) or _written(found) != dict(architecture):
        raise InvalidCandidateError("the cell is not in its one form, or breaks the limit of nine edges")
    return found


def _of_row(row: int, bits: int, operations: Sequence[int], vertices: int) -> Cell:
    """The cell of a row of a table, its output moved to the last vertex."""
    last = MOST_VERTICES - 1
    inner = list(operations)[: max(vertices - 2, 0)]
    if not 2 <= vertices <= MOST_VERTICES or len(inner) != vertices - 2 or not set(inner) <= {0, 1, 2} or bits < 0:
        raise InvalidOptionError(
            f"row {row} is no cell of nasbench101: {vertices} vertices with the operations {inner[:9]}; "
            f"expected 2 to {MOST_VERTICES} vertices and operations from 0 to 2"
        )
    edges = {(x, last if y == vertices - 1 else y) for x, y in edges_of(bits, vertices)}
    padded = {vertex: inner[vertex - 1] if vertex <= len(inner) else 0 for vertex in INNER}
    found = _possible(edges, padded)
    if found is None:
        raise InvalidOptionError(
            f"row {row} is no cell of nasbench101: no path from input to output, or more than nine edges"
        )
    return found
