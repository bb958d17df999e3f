"""Tables of the page."""

from collections.abc import Sequence

from nas.reports.cell import Cell, Cells
from nas.reports.markup import Markup, joined, tag

LONG = 24
"""Cells of words with more characters are broken into lines."""


def table(rows: Sequence[Cells], *, sortable: bool = False, tall: bool = False) -> Markup:
    """A table with the columns of its first row; a sortable one can be sorted by a click on a head."""
    if not rows:
        return tag("p", "None.", class_="note")
    heads = [_head(name, [row[name] for row in rows], sortable) for name in rows[0]]
    body = [tag("tr", *(_data(cell, sortable) for cell in row.values())) for row in rows]
    grid = tag(
        "table", tag("thead", tag("tr", *heads)), tag("tbody", joined(body)), class_="sortable" if sortable else None
    )
    return tag("div", grid, class_="scroll tall" if tall else "scroll")


def _head(name: str, cells: Sequence[Cell], sortable: bool) -> Markup:
    if not sortable:
        return tag("th", name, scope="col")
    words = any(isinstance(cell.order, str) for cell in cells)
    return tag("th", tag("button", name, type="button"), scope="col", data_kind="text" if words else "number")


def _data(cell: Cell, sortable: bool) -> Markup:
    order = None if cell.order is None or not sortable else cell.order
    return tag("td", cell.text, data_order=order, class_="words" if len(cell.text) > LONG else None)
