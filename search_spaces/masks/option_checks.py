"""Checks of option and argument values: what is wrong, where, and what to give."""

import sys

from search_spaces.candidate import Json
from search_spaces.errors import InvalidOptionError


def is_number(value: Json) -> bool:
    """A finite int or float, no larger than a float can be, and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_whole(value: Json) -> bool:
    """An int, and no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def require(fits: bool, place: str, value: Json, remedy: str) -> None:
    """Raise `InvalidOptionError` unless `fits`."""
    if not fits:
        raise InvalidOptionError(f"{place} is {repr(value)[:80]}; give {remedy}")


def require_fraction(place: str, value: Json) -> None:
    """`value` must be a number in (0, 1]."""
    require(is_number(value) and 0 < value <= 1, place, value, "a number above 0 and at most 1")  # type: ignore[operator]


def require_count(place: str, value: Json) -> None:
    """`value` must be a whole number, 1 or more."""
    require(is_whole(value) and value >= 1, place, value, "a whole number, 1 or more")  # type: ignore[operator]


def require_seed(place: str, value: Json) -> None:
    """`value` must be a whole number, 0 or more."""
    require(is_whole(value) and value >= 0, place, value, "a whole number, 0 or more")  # type: ignore[operator]


def require_name(place: str, value: Json) -> None:
    """`value` must be a string."""
    require(isinstance(value, str), place, value, "the name of a layer")
