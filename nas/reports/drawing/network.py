"""A network as an inline SVG: layers as boxes with their units and non-zeros, links between them, from top to bottom."""

import onnx_ir as ir

from nas.reports.drawing.blocks import Block, Diagram
from nas.reports.drawing.frame import framed
from nas.reports.drawing.layout import BLOCK_WIDTH, Layout
from nas.reports.markup import Markup, tag

MOST_BLOCKS = 120
"""Most blocks of a drawing; nobody could read a larger one."""
MOST_BENDS = 2000
"""Most rows that all links together may pass; a drawing with more is not readable."""
HEIGHT, SPACE, MARGIN = 48.0, 26.0, 4.0


def drawing(model: ir.Model) -> Markup | None:
    """Draw a simplified model; None if it has too many layers or links."""
    diagram = Diagram.of(model)
    if not 0 < len(diagram.blocks) <= MOST_BLOCKS:
        return None
    rows = diagram.rows()
    if sum(rows[target] - rows[source] for source, target in diagram.links) > MOST_BENDS:
        return None
    layout = Layout.of(diagram)
    width = layout.width + 2 * MARGIN
    height = (max(layout.rows) + 1) * (HEIGHT + SPACE) - SPACE + 2 * MARGIN
    heights = [HEIGHT / 2 if _small(block) else HEIGHT for block in diagram.blocks]
    links = [
        _link(path, heights[source], heights[target])
        for path, (source, target) in zip(layout.paths, diagram.links, strict=True)
    ]
    boxes = [
        _box(block, middle + MARGIN, _top(row))
        for block, middle, row in zip(diagram.blocks, layout.middles, layout.rows, strict=True)
    ]
    label = "the layers of the network and how they are linked"
    return framed(links, boxes, width=width, height=height, label=label)


def _top(row: int) -> float:
    return MARGIN + row * (HEIGHT + SPACE)


def _small(block: Block) -> bool:
    """Whether one line is enough for a block."""
    return not block.weights and not block.note


def _link(path: list[tuple[int, float]], first: float, last: float) -> Markup:
    """A smooth line from the lower edge of a block to the upper edge of another; it passes the rows between straight down."""
    (row, x), *bends, (end_row, end_x) = path
    y = _top(row) + (HEIGHT + first) / 2
    words = [f"M{x + MARGIN:g} {y:g}"]
    for bend_row, bend_x in bends:
        words.append(_curve(x, y, bend_x, _top(bend_row)))
        x, y = bend_x, _top(bend_row) + HEIGHT
        words.append(f"V{y:g}")
    words.append(_curve(x, y, end_x, _top(end_row) + (HEIGHT - last) / 2))
    return tag("path", d="".join(words), class_="link")


def _curve(x: float, y: float, end_x: float, end_y: float) -> str:
    middle = (y + end_y) / 2
    return f"C{x + MARGIN:g} {middle:g} {end_x + MARGIN:g} {middle:g} {end_x + MARGIN:g} {end_y:g}"


def _box(block: Block, middle: float, top: float) -> Markup:
    if _small(block):
        return _label(block, middle, top)
    left = middle - BLOCK_WIDTH / 2
    kind = "layer" if block.weights else "end"
    parts = [
        tag("rect", x=left, y=top, width=BLOCK_WIDTH, height=HEIGHT, rx=6, class_=kind),
        tag("text", _title(block), x=middle, y=top + 19, text_anchor="middle", class_="title"),
        tag("text", _detail(block), x=middle, y=top + 34, text_anchor="middle", class_="detail"),
    ]
    if block.weights:
        full = BLOCK_WIDTH - 20
        parts += [
            tag("rect", x=left + 10, y=top + HEIGHT - 8, width=full, height=3, class_="track"),
            tag("rect", x=left + 10, y=top + HEIGHT - 8, width=full * block.density, height=3, class_="kept"),
        ]
    return tag("g", tag("title", f"{_title(block)}: {_detail(block)}"), *parts)


def _label(block: Block, middle: float, top: float) -> Markup:
    """The box of a step without weights."""
    text = _sign(block.operators[0]) or " → ".join(block.operators)
    text = _short(text, 16)
    width = max(HEIGHT / 2, 10 + 7.0 * len(text))
    y = top + HEIGHT / 4
    return tag(
        "g",
        tag("rect", x=middle - width / 2, y=y, width=width, height=HEIGHT / 2, rx=HEIGHT / 4, class_="step"),
        tag("text", text, x=middle, y=y + HEIGHT / 4 + 4, text_anchor="middle", class_="title"),
    )


def _title(block: Block) -> str:
    first, *others = block.operators
    if not block.weights:
        return _short(first, 24)
    name = f"{first} {block.note}" if block.note else first
    return _short(" → ".join([name, *others]), 26)


def _detail(block: Block) -> str:
    if not block.weights:
        return block.note
    return f"{block.units:,} units · {block.nonzeros:,} of {block.weights:,}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _sign(operator: str) -> str:
    """Mathematical sign of an operator; empty if it has none."""
    match operator:
        case "Add":
            return "+"
        case "Mul":
            return "×"
        case "Sub":
            return "−"
        case "Concat":
            return "joined"
    return ""
