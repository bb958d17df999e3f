"""Look-up in a table of names, with the nearest known name in the error."""

import difflib
from collections.abc import Iterable

from nas.errors import UsageError


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names, the most alike first."""
    return sorted(known, key=lambda other: (-difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio(), other))


def require(kind: str, name: str, known: Iterable[str]) -> str:
    """`name` if it is known, else a `UsageError` that lists the known ones, nearest first."""
    names = nearest(name, known)
    if name in names:
        return name
    raise UsageError(f"unknown {kind} {name!r}; did you mean {names[0]!r}? Known: {', '.join(names)}")
