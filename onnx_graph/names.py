"""Names in a table: the known ones, nearest first, for errors about unknown ones.

This file stands in `onnx_graph` because every package has such tables and may import only downwards.
"""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names, the most alike first."""
    return sorted(known, key=lambda other: (-difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio(), other))


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """The message for a name that no table holds."""
    names = nearest(str(name), known)
    start = f"unknown {kind} {name!r}"
    return f"{start}; did you mean {names[0]!r}? Known: {', '.join(names)}" if names else start


def require_name(kind: str, name: str, known: Iterable[str], error: type[Exception]) -> str:
    """`name` if it is known; otherwise an `error` that lists the known names, nearest first."""
    known = list(known)
    if name in known:
        return name
    raise error(unknown_name(kind, name, known))
