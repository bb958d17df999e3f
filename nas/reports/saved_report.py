"""Reading `report.json`: everything that tables, page and figures use is checked first, so that an edited file is one clear error.

`REPORT` states the shape that `nas.reports.report.build` writes. Whoever adds a key there that is shown adds it here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias

from nas.errors import RunError
from nas.input_file import read_json
from nas.reports.report import VERSION
from nas.study.run_folder import RunFolder


@dataclass(frozen=True)
class Value:
    """A single value: what it is in words, and how to tell."""

    words: str
    fits: Callable[[Any], bool]


@dataclass(frozen=True)
class Optional:
    """Null, or something of a shape."""

    shape: "Shape"


@dataclass(frozen=True)
class Each:
    """An object with any keys, whose values all have a shape."""

    shape: "Shape"


@dataclass(frozen=True)
class Rows:
    """A list of at least `least` things of a shape."""

    shape: "Shape"
    least: int = 0


Shape: TypeAlias = "Value | Optional | Each | Rows | Mapping[str, Shape]"
"""A mapping stands for an object with at least these keys."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and abs(value) < 1e18


TEXT = Value("a text", lambda value: isinstance(value, str))
NUMBER = Value("a number", _is_number)
AMOUNT = Value("a number from 0", lambda value: _is_number(value) and value >= 0)
COUNT = Value("a whole number from 0", lambda value: _is_number(value) and isinstance(value, int) and value >= 0)
ANYTHING = Value("anything", lambda value: True)

SCORE: Shape = Optional({"mean": NUMBER, "std": AMOUNT})
NETWORK: Shape = {
    "name": TEXT,
    "digest": TEXT,
    "accuracies": Rows(NUMBER, 1),
    "validation": Rows(NUMBER, 1),
    "test": {"mean": NUMBER, "std": Optional(AMOUNT), "trainings": COUNT},
    "nnz": COUNT,
    "bytes": COUNT,
    "latency": AMOUNT,
    "largest_error": AMOUNT,
    "score": SCORE,
}
CANDIDATE: Shape = {
    "digest": TEXT,
    "accuracy": NUMBER,
    "accuracies": Rows(NUMBER, 1),
    "score": SCORE,
    "nnz": COUNT,
    "bytes": COUNT,
    "latency": AMOUNT,
    "trial": COUNT,
}
TRIAL: Shape = {
    "number": COUNT,
    "round": COUNT,
    "repeat": COUNT,
    "digest": TEXT,
    "accuracy": Optional(NUMBER),
    "score": SCORE,
    "metrics": Each(NUMBER),
    "dead_units": COUNT,
    "seconds": AMOUNT,
    "error": TEXT,
}
REPORT: Shape = {
    "version": TEXT,
    "task": {
        **dict.fromkeys(("name", "metric", "description"), TEXT),
        **dict.fromkeys(("train", "validation", "test"), COUNT),
    },
    "config": Each(ANYTHING),
    "best": NETWORK,
    "baselines": Each(NETWORK),
    "front": Rows(CANDIDATE),
    "trials": Rows(TRIAL, 1),
    "seconds": Each(AMOUNT),
    "sentence": TEXT,
}


def read_report(folder: RunFolder) -> dict[str, Any]:
    """The report of a finished run; `RunError` where there is none, or it is not what a search writes."""
    remedy = f"write it anew with `nas resume {folder.path}`"
    if not folder.report.exists():
        raise RunError(f"{folder.path} has no report yet: finish it with `nas resume {folder.path}`")
    try:
        report = read_json(folder.report, error=RunError)
    except RunError as error:
        raise RunError(f"{error}; {remedy}") from error
    if not isinstance(report, dict) or report.get("format") != VERSION:
        raise RunError(f"{folder.report} is no report of this version: {remedy}")
    wrong = difference(report, REPORT) or next(
        (
            f"trials[{i}].metrics has no 'nnz'"
            for i, trial in enumerate(report["trials"])
            if "nnz" not in trial["metrics"]
        ),
        None,
    )
    if wrong is not None:
        raise RunError(f"{folder.report} is damaged: {wrong}; {remedy}")
    return report


def difference(value: Any, shape: Shape, place: str = "") -> str | None:
    """Where and how a value first differs from a shape, or None."""
    match shape:
        case Value():
            return None if shape.fits(value) else f"{place} is {_short(value)}, expected {shape.words}"
        case Optional():
            return None if value is None else difference(value, shape.shape, place)
        case Rows():
            if not isinstance(value, list) or len(value) < shape.least:
                return f"{place} is {_short(value)}, expected a list" + (
                    f" of at least {shape.least}" if shape.least else ""
                )
            return _first(difference(one, shape.shape, f"{place}[{i}]") for i, one in enumerate(value))
    if not isinstance(value, dict):
        return f"{place} is {_short(value)}, expected an object"
    if isinstance(shape, Each):
        return _first(difference(one, shape.shape, f"{place}.{key}") for key, one in value.items())
    for key, inner in shape.items():
        inside = f"{place}.{key}".lstrip(".")
        wrong = difference(value[key], inner, inside) if key in value else f"{inside} is missing"
        if wrong is not None:
            return wrong
    return None


def _first(found: Iterable[str | None]) -> str | None:
    return next((one for one in found if one is not None), None)


def _short(value: Any) -> str:
    return repr(value)[:60]
