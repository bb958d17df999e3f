"""Checks numbers from users: type, finiteness and range; an error is one clear line."""

import math
from numbers import Integral, Real

from nas.errors import UsageError

MANY = 1_000_000
"""Largest count in a search or a training; nobody would wait for more."""
LARGEST_SEED = 2**63 - 1


def require_whole(name: str, value: object, least: int, most: int = MANY) -> None:
    """`UsageError` unless the value is a whole number in [least, most]."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
        raise UsageError(f"{name} must be a whole number {_span(least, most)}, got {_shown(value)}")


def require_number(
    name: str, value: object, least: float, most: float, *, above: bool = False, below: bool = False
) -> None:
    """`UsageError` unless the value is a number in [least, most]; `least` itself is excluded if `above`, `most` itself if `below`."""
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        number = float(value)
        inside = (least < number) if above else (least <= number)
        if inside and ((number < most) if below else (number <= most)):
            return
    low, high = "above" if above else "of at least", "below" if below else "at most"
    raise UsageError(f"{name} must be a number {low} {least:g} and {high} {most:g}, got {_shown(value)}")


def _span(least: int, most: int) -> str:
    return f"from {least:,} to {most:,}"


def _shown(value: object) -> str:
    """The value as text, cut if it is long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
