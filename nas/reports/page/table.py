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
    heads = [_head(name, any(isinstance(row[name].order, str) for row in rows), sortable) for name in rows[0]]
    body = [tag("tr", *(_data(cell, sortable) for cell in row.values())) for row in rows]
    grid = tag(
        "table", tag("thead", tag("tr", *heads)), tag("tbody", joined(body)), class_="sortable" if sortable else None
    )
    return tag("div", grid, class_="scroll tall" if tall else "scroll")


def _head(name: str, words: bool, sortable: bool) -> Markup:
    text = tag("button", name, type="button") if sortable else name
    kind = None if not sortable else "text" if words else "number"
    return tag("th", text, scope="col", data_kind=kind, class_="label" if words else None)


def _data(cell: Cell, sortable: bool) -> Markup:
    order = None if cell.order is None or not sortable else cell.order
    kind = "words" if len(cell.text) > LONG else "label" if isinstance(cell.order, str) else None
    return tag("td", cell.text, data_order=order, class_=kind)
