"""Tables of names: the package's own and those that other packages add through entry points."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from search_spaces.candidate import Json
from search_spaces.errors import InvalidOptionError, UnknownNameError
from search_spaces.names import nearest, unknown


class Registry:
    """A table from name to ``"module:function"``; the functions' keyword-only parameters are their options."""

    def __init__(self, what: str, own: Mapping[str, str], group: str) -> None:
        """`what` is said in errors, `group` names the entry points; an own name wins over one of the same name there."""
        self.what = what
        self._own = own
        self._group = group
        self._loaded: dict[str, Callable[..., Any]] = {}

    def names(self) -> list[str]:
        """All known names, sorted."""
        return sorted({*self._own, *(point.name for point in entry_points(group=self._group))})

    def load(self, name: Json) -> Callable[..., Any]:
        """The function of that name; an `UnknownNameError` lists the known ones, nearest first."""
        if not isinstance(name, str):
            raise self._unknown(name)
        if name not in self._loaded:
            self._loaded[name] = self._import(name)
        return self._loaded[name]

    def _import(self, name: str) -> Callable[..., Any]:
        if name in self._own:
            module, function = self._own[name].split(":")
            return getattr(import_module(module), function)  # type: ignore[no-any-return]
        for point in entry_points(group=self._group, name=name):
            return point.load()  # type: ignore[no-any-return]
        raise self._unknown(name)

    def _unknown(self, name: Json) -> UnknownNameError:
        return UnknownNameError(unknown(self.what, str(name), self.names()))


@cache
def keywords(function: Callable[..., Any]) -> Mapping[str, bool]:
    """Keyword-only parameters of `function`, True where there is no default."""
    parameters = inspect.signature(function).parameters.values()
    return {
        parameter.name: parameter.default is inspect.Parameter.empty
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def check_names(place: str, given: Iterable[str], known: Mapping[str, bool]) -> None:
    """Raise `InvalidOptionError` for a given name that is not known, or a needed one (True in `known`) not given."""
    given = list(given)
    for name in given:
        if name not in known:
            listed = ", ".join(nearest(str(name), known))
            raise InvalidOptionError(f"{place} takes no {name!r}; it takes, nearest first: {listed or 'nothing'}")
    missing = [name for name, needed in known.items() if needed and name not in given]
    if missing:
        raise InvalidOptionError(f"{place} lacks {', '.join(map(repr, missing))}; add it")
