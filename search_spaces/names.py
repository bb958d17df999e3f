"""Look-up in a table of names, with the nearest known name in the error."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names, the most alike first."""
    return sorted(known, key=lambda other: (-difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio(), other))


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that no table holds."""
    names = nearest(str(name), known)
    return (
        f"unknown {kind} {name!r}; did you mean {names[0]!r}? Known: {', '.join(names)}"
        if names
        else f"unknown {kind} {name!r}"
    )
