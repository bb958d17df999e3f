"""Error messages for unknown names: they list the known names, the most similar first.

This file is in `onnx_graph` because every package has tables of names and may import only lower packages.
"""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names, the most alike first."""
    return sorted(known, key=lambda other: (-difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio(), other))


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """The message for an unknown name."""
    names = nearest(str(name), known)
    start = f"unknown {kind} {name!r}"
    return f"{start}; did you mean {names[0]!r}? Known: {', '.join(names)}" if names else start


def require_name(kind: str, name: str, known: Iterable[str], error: type[Exception]) -> str:
    """`name` if it is known; otherwise raises an `error` that lists the known names, the most similar first."""
    known = list(known)
    if name in known:
        return name
    raise error(unknown_name(kind, name, known))
