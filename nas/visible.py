"""Makes foreign text (names of weights, columns, tasks, files) safe to show: it cannot control a terminal or a figure."""

import unicodedata

TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the text after them, so that a name looks like another one."""


def visible(text: str) -> str:
    r"""The text with control characters spelled out: ``\x1b`` for an escape, ``\n`` for a new line, ``\u202e`` for a turned direction."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(character) if _is_hidden(character) else character for character in text)


def _is_hidden(character: str) -> bool:
    return character in TURNING or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def visible_in_figure(text: str) -> str:
    r"""Like `visible`, also for matplotlib: escapes dollar signs, which would begin a formula (``$\frac{$`` raises an error)."""
    return visible(text).replace("$", r"\$")
