"""The frame of a drawing of boxes and links, as an inline SVG."""

from collections.abc import Sequence

from nas.reports.markup import Markup, joined, tag


def framed(
    links: Sequence[Markup],
    boxes: Sequence[Markup],
    *,
    width: float,
    height: float,
    label: str,
    class_: str = "network",
) -> Markup:
    """The drawing of a size in pixels; `label` tells its content to a screen reader, boxes lie above links."""
    return tag(
        "svg",
        joined(links),
        joined(boxes),
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        class_=class_,
        role="img",
        aria_label=label,
    )
