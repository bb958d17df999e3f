"""Positions of the blocks of a diagram: rows by longest path, few crossings, links around blocks (Sugiyama et al. 1981)."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from nas.reports.drawing.blocks import Diagram

BLOCK_WIDTH, BEND_WIDTH, GAP = 156.0, 10.0, 18.0
SWEEPS = 8


@dataclass(frozen=True)
class Layout:
    """Positions of blocks and links.

    Attributes:
        width: width of the whole drawing.
        rows: row number of each block, from 0.
        middles: horizontal position of the middle of each block.
        paths: for each link, in the diagram's order, ``(row, horizontal position)`` of its ends and its bends between them.
    """

    width: float
    rows: list[int]
    middles: list[float]
    paths: list[list[tuple[int, float]]]

    @classmethod
    def of(cls, diagram: Diagram) -> "Layout":
        """Lay out a diagram; the same diagram gives the same layout."""
        return _Grid(diagram).layout


class _Grid:
    """Blocks and bends in rows. Bends are the points of a link in the rows between its ends; they are numbered after the blocks."""

    def __init__(self, diagram: Diagram) -> None:
        self.count = len(diagram.blocks)
        self.links = list(diagram.links)
        self.row_of = diagram.rows()
        self.chains = [self._chain(source, target) for source, target in self.links]
        self.rows: list[list[int]] = [[] for _ in range(max(self.row_of, default=0) + 1)]
        for item, row in enumerate(self.row_of):
            self.rows[row].append(item)
        self.above: list[list[int]] = [[] for _ in self.row_of]
        self.below: list[list[int]] = [[] for _ in self.row_of]
        for chain in self.chains:
            for upper, lower in itertools.pairwise(chain):
                self.above[lower].append(upper)
                self.below[upper].append(lower)
        self.across = [0.0] * len(self.row_of)
        self._order()
        self._place()

    @property
    def layout(self) -> Layout:
        left = min(self.across[item] - self._width(item) / 2 for item in range(len(self.row_of)))
        right = max(self.across[item] + self._width(item) / 2 for item in range(len(self.row_of)))
        across = [place - left for place in self.across]
        paths = [[(self.row_of[item], across[item]) for item in chain] for chain in self.chains]
        return Layout(right - left, self.row_of[: self.count], across[: self.count], paths)

    def _chain(self, source: int, target: int) -> list[int]:
        """The link with a new bend in every row between its ends."""
        bends = []
        for row in range(self.row_of[source] + 1, self.row_of[target]):
            bends.append(len(self.row_of))
            self.row_of.append(row)
        return [source, *bends, target]

    def _order(self) -> None:
        """Sort each row by the mean position of the neighbours, first downwards, then upwards."""
        place = [0.0] * len(self.row_of)
        for row in self.rows:
            for index, item in enumerate(row):
                place[item] = index
        for sweep in range(SWEEPS):
            neighbours, rows = (self.above, self.rows) if sweep % 2 == 0 else (self.below, self.rows[::-1])
            for row in rows:
                row.sort(key=lambda item, of=neighbours: _mean([place[one] for one in of[item]], place[item]))  # type: ignore[misc]
                for index, item in enumerate(row):
                    place[item] = index - (len(row) - 1) / 2

    def _place(self) -> None:
        """Move every item towards its neighbours as far as the row has space."""
        for row in self.rows:
            self._spread(row, [0.0] * len(row))
        for sweep in range(2 * SWEEPS):
            neighbours, rows = (self.above, self.rows) if sweep % 2 == 0 else (self.below, self.rows[::-1])
            for row in rows:
                wanted = [_mean([self.across[one] for one in neighbours[item]], self.across[item]) for item in row]
                self._spread(row, wanted)

    def _spread(self, row: Sequence[int], wanted: Sequence[float]) -> None:
        """Place the items of a row near the wanted positions without overlap: push them to the right, then back by the mean push."""
        places: list[float] = []
        for index, (item, want) in enumerate(zip(row, wanted, strict=True)):
            least = want if not index else places[-1] + self._apart(row[index - 1], item)
            places.append(max(want, least))
        push = sum(place - want for place, want in zip(places, wanted, strict=True)) / max(len(row), 1)
        for item, place in zip(row, places, strict=True):
            self.across[item] = place - push

    def _apart(self, left: int, right: int) -> float:
        return (self._width(left) + self._width(right)) / 2 + GAP

    def _width(self, item: int) -> float:
        return BLOCK_WIDTH if item < self.count else BEND_WIDTH


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
