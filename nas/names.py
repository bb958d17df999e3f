"""Look-up in a table of names, with the nearest known name in the error."""

from collections.abc import Iterable

from nas.errors import UsageError
from predictors.names import nearest

__all__ = ["nearest", "require"]


def require(kind: str, name: str, known: Iterable[str]) -> str:
    """`name` if it is known, else a `UsageError` that lists the known ones, nearest first."""
    names = nearest(name, known)
    if name in names:
        return name
    raise UsageError(f"unknown {kind} {name!r}; did you mean {names[0]!r}? Known: {', '.join(names)}")
