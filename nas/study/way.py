"""The ways of searching: how a candidate was found. Every trial knows the way of its candidate."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

Way = Literal["reference", "discovery", "evolution", "random", "drawn"]
"""What an expert runs first; a new plan of architecture and method; a child of masks that were found; random search; a mask that
another strategy draws."""
WAYS: tuple[Way, ...] = get_args(Way)


def read_way(value: object, candidate: Mapping[str, Any], round_: int) -> Way:
    """The way in a stored trial; `ValueError` if there is no such way. Records of earlier versions have none: it is inferred.

    Args:
        value: the stored value; None in records of earlier versions.
        candidate: candidate as JSON.
        round_: round of the trial.
    """
    if value is None:
        return _inferred(candidate["mask"], round_)
    for way in WAYS:
        if value == way:
            return way
    raise ValueError(f"{value!r} is no way of searching; there are {', '.join(WAYS)}")


def of_first_trainings(trials: Iterable[tuple[str, Way]]) -> list[Way]:
    """The way of each trial, given by ``(digest, way)``: that of the first training of its candidate.

    Earlier versions do not say that a reference is trained again in a later round.
    """
    first: dict[str, Way] = {}
    return [first.setdefault(digest, way) for digest, way in trials]


def _inferred(mask: Mapping[str, Any], round_: int) -> Way:
    """Earlier versions began a guided search with references, and no other strategy learned or inherited masks."""
    if "inherited" in mask:
        return "evolution"
    if "learned" in mask:
        return "discovery" if round_ else "reference"
    return "reference" if round_ == 0 and mask.get("density") == 1 else "drawn"
