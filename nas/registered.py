"""What a registered value must be: of its type, under its own name, with the function that computes it."""

from collections.abc import Callable
from typing import Any


def fault_of(kind: type, place: str, function: str) -> Callable[[Any, str], str]:
    """The check that a `Registry` of such values makes.

    Args:
        kind: type of the values, with an attribute ``name``.
        place: where users find the type, for the message.
        function: attribute that must be a function.

    Returns:
        Function of a value and the name of its entry; it returns what is wrong, empty if nothing is.
    """

    def fault(found: Any, name: str) -> str:
        if not isinstance(found, kind):
            return f"it must be a {place}"
        if found.name != name:  # type: ignore[attr-defined]
            return f"its name must be {name!r}, as that of its entry point"
        return "" if callable(getattr(found, function)) else f"its {function} must be a function"

    return fault
