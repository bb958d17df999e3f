"""The frame of a chart: axes with ticks and names, and the positions of points."""

from dataclasses import dataclass

from nas.reports.charts.axis_scale import Scale
from nas.reports.markup import Child, Markup, joined, tag

WIDTH, HEIGHT = 400, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 42
"""Sizes in the units of the drawing. The text stays legible if the chart is as narrow as a phone."""


@dataclass(frozen=True)
class Frame:
    """Two scales with their names."""

    x: Scale
    y: Scale
    x_name: str
    y_name: str

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Position of a point in the drawing."""
        across = LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT)
        return round(across, 2), round(HEIGHT - BOTTOM - self.y.share(y) * (HEIGHT - TOP - BOTTOM), 2)

    def dot(self, x: float, y: float, text: str, *, class_: str, radius: float = 3.0) -> Markup:
        """A point with a text that is shown when the mouse is over it."""
        cx, cy = self.point(x, y)
        return tag("circle", tag("title", text), cx=cx, cy=cy, r=radius, class_=class_)

    def line(self, points: list[tuple[float, float]], *, class_: str) -> Markup:
        """A line through points."""
        return tag("polyline", points=" ".join("{},{}".format(*self.point(*one)) for one in points), class_=class_)

    def drawn(self, *marks: Child, label: str) -> Markup:
        """The whole chart with these marks; `label` describes it for screen readers."""
        return tag(
            "svg",
            joined(self._x_ticks()),
            joined(self._y_ticks()),
            tag("text", self.x_name, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 6, class_="name", text_anchor="middle"),
            tag(
                "text",
                self.y_name,
                x=12,
                y=(TOP + HEIGHT - BOTTOM) / 2,
                class_="name",
                text_anchor="middle",
                transform=f"rotate(-90 12 {(TOP + HEIGHT - BOTTOM) / 2:g})",
            ),
            *marks,
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            class_="chart",
            role="img",
            aria_label=label,
        )

    def _x_ticks(self) -> list[Markup]:
        found = []
        for value in self.x.ticks:
            x, _ = self.point(value, self.y.low)
            found.append(tag("line", x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, class_="grid"))
            text = self.x.label(value)
            found.append(tag("text", text, x=x, y=HEIGHT - BOTTOM + 15, class_="tick", text_anchor="middle"))
        return found

    def _y_ticks(self) -> list[Markup]:
        found = []
        for value in self.y.ticks:
            _, y = self.point(self.x.low, value)
            found.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
            found.append(tag("text", self.y.label(value), x=LEFT - 6, y=y + 4, class_="tick", text_anchor="end"))
        return found


def shares(value: float) -> str:
    """Text of a tick on an axis of accuracies."""
    return f"{100 * value:.4g}%"


def counts(value: float) -> str:
    """Text of a tick on an axis of counts: 500, 2k, 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
