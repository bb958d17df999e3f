"""HTML and SVG text that stays valid for any content: every string is escaped unless it is markup already."""

from collections.abc import Iterable
from html import escape

VOID = frozenset({"meta", "link", "br", "img"})
_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), "�")


class Markup(str):
    """Text that is HTML already. Only `tag`, `joined` and constants of this package create it."""

    __slots__ = ()


Attribute = str | float | int | bool | None
Child = str | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """An element. Strings are escaped, None is omitted.

    An attribute's name is written with ``_`` for ``-`` and may end in ``_`` (``class_``); True gives an attribute without a value.
    """
    words = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{words}>")
    return Markup(f"<{name}{words}>{joined(children)}</{name}>")


def joined(children: Iterable[Child], separator: str = "") -> Markup:
    """Several pieces one after another."""
    return Markup(escape(separator).join(_safe(child) for child in children if child is not None))


def _safe(child: str) -> str:
    return child if isinstance(child, Markup) else escape(child.translate(_CONTROL))


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-") if key != "viewBox" else key
    if value is True:
        return f" {name}"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(text.translate(_CONTROL))}"'
