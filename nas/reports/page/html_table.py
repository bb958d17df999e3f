"""Tables of the page."""

from collections.abc import Sequence

from nas.reports.markup import Markup, joined, tag
from nas.reports.rows.cell import Cell, Cells

EMPTY = Cell("", None)
LONG = 24
"""Cells of text with more characters are broken into lines."""


def table(rows: Sequence[Cells], *, sortable: bool = False, tall: bool = False) -> Markup:
    """A table with every column that any row has; a click on a header sorts a sortable table.

    If a row lacks a column, for example a failed training without a metric, its cell is empty.
    """
    if not rows:
        return tag("p", "None.", class_="note")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    filled = [{name: row.get(name, EMPTY) for name in columns} for row in rows]
    heads = [_head(name, any(isinstance(row[name].order, str) for row in filled), sortable) for name in columns]
    body = [tag("tr", *(_data(cell, sortable) for cell in row.values())) for row in filled]
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
