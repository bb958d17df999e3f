"""The family of the winner as an inline SVG: every training in a box below the trainings from which it inherits."""

from collections.abc import Sequence

from nas.percent import percent
from nas.reports.drawing.frame import framed
from nas.reports.markup import Markup, tag
from nas.reports.rows.family_row import FamilyRow

MOST_BOXES = 60
"""Most boxes of a drawing; nobody could read a larger one. The table has all of them."""
WIDTH, HEIGHT, GAP, SPACE, MARGIN = 250.0, 62.0, 18.0, 30.0, 4.0
LETTERS = 38
"""Longest text that fits into a box."""


def family_tree(family: Sequence[FamilyRow]) -> Markup | None:
    """The drawing; None if there is no family or a very large one."""
    if not 0 < len(family) <= MOST_BOXES:
        return None
    rows = _generations(family)
    most = max(len(row) for row in rows)
    width = most * (WIDTH + GAP) - GAP + 2 * MARGIN
    height = len(rows) * (HEIGHT + SPACE) - SPACE + 2 * MARGIN
    places: dict[int, tuple[float, float]] = {}
    for depth, row in enumerate(rows):
        left = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for column, member in enumerate(row):
            places[member.trial] = left + column * (WIDTH + GAP), MARGIN + depth * (HEIGHT + SPACE)
    links = [_link(places[parent], places[member.trial]) for member in family for parent in member.parents]
    boxes = [_box(member, *places[member.trial], winner=member is family[0]) for member in family]
    label = "the family tree of the winner"
    return framed(links, boxes, width=width, height=height, label=label, class_="network family")


def _generations(family: Sequence[FamilyRow]) -> list[list[FamilyRow]]:
    """The members by generation, the oldest first: a child is one row below its latest parent."""
    depths: dict[int, int] = {}
    for member in reversed(family):  # parents come before their children
        depths[member.trial] = 1 + max((depths[parent] for parent in member.parents), default=-1)
    rows: list[list[FamilyRow]] = [[] for _ in range(max(depths.values()) + 1)]
    for member in reversed(family):
        rows[depths[member.trial]].append(member)
    return rows


def _link(parent: tuple[float, float], child: tuple[float, float]) -> Markup:
    x, y, end_x, end_y = parent[0] + WIDTH / 2, parent[1] + HEIGHT, child[0] + WIDTH / 2, child[1]
    middle = (y + end_y) / 2
    return tag("path", d=f"M{x:g} {y:g}C{x:g} {middle:g} {end_x:g} {middle:g} {end_x:g} {end_y:g}", class_="link")


def _box(member: FamilyRow, left: float, top: float, *, winner: bool) -> Markup:
    measured = "failed" if member.accuracy is None else percent(member.accuracy)
    title = f"trial {member.trial} · {member.way} · {measured}"
    lines = [(title, "title"), (member.mask, "detail"), (member.architecture, "detail")]
    texts = [
        tag("text", _short(text), x=left + WIDTH / 2, y=top + 19 + 16 * row, text_anchor="middle", class_=kind)
        for row, (text, kind) in enumerate(lines)
    ]
    box = tag("rect", x=left, y=top, width=WIDTH, height=HEIGHT, rx=6, class_="layer winner-box" if winner else "layer")
    return tag("g", tag("title", "; ".join(text for text, _ in lines)), box, *texts)


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
