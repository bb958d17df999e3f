"""The options of a mask function: its keyword-only parameters."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from onnx_graph import nearest
from search_spaces.errors import InvalidOptionError


@cache
def keywords(function: Callable[..., Any]) -> Mapping[str, bool]:
    """Keyword-only parameters of `function`, True = without a default."""
    parameters = inspect.signature(function).parameters.values()
    return {
        parameter.name: parameter.default is inspect.Parameter.empty
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def check_names(place: str, given: Iterable[str], known: Mapping[str, bool]) -> None:
    """Raise `InvalidOptionError` for an unknown name, or for a missing name that is required (True in `known`)."""
    given = list(given)
    for name in given:
        if name not in known:
            listed = ", ".join(nearest(str(name), known))
            raise InvalidOptionError(f"{place} takes no {name!r}; it takes, nearest first: {listed or 'nothing'}")
    missing = [name for name, needed in known.items() if needed and name not in given]
    if missing:
        raise InvalidOptionError(f"{place} lacks {', '.join(map(repr, missing))}; add it")
