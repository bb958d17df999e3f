"""A registry: all plug-ins of one kind by name, built in and from other installed packages.

This file is in `onnx_graph` because `search_spaces`, `predictors` and `nas` all have registries, and packages may
import only lower packages.

Built-ins are a table, name → ``module:attribute``. Another package offers a name as an entry point in the registry's group.
Nothing is imported before it is requested. Requesting a name that is offered twice raises an error that names both places;
requesting a plug-in that cannot be imported or has the wrong type raises an error too. All other names still work.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from onnx_graph.names import unknown_name

T = TypeVar("T")
Select = Callable[..., EntryPoints]

BUILT_IN = "built-in"
"""Origin of the names in the table; the origin of other names is the name and version of a distribution."""


@dataclass(frozen=True)
class Builtin:
    """A line of a table of built-ins.

    Attributes:
        place: ``module:attribute``.
        summary: description in one line; if empty, the first line of the docstring at `told_by`.
        told_by: ``module`` or ``module:attribute``; if empty, the module of `place`.
    """

    place: str
    summary: str = ""
    told_by: str = ""


@dataclass(frozen=True)
class Offer:
    """A place that offers a name.

    Attributes:
        place: ``module:attribute``.
        origin: `BUILT_IN`, or the name and version of a distribution.
        load: function that imports the object.
    """

    place: str
    origin: str
    load: Callable[[], Any]

    def __str__(self) -> str:
        """Description for messages."""
        return f"{self.origin} ({self.place})"


@dataclass(frozen=True)
class Listed:
    """A name as `nas list` shows it.

    Attributes:
        name: the name.
        origin: origin as in `Offer`; both origins if a name is offered twice.
        summary: description in one line.
        problem: reason why it cannot be used; empty if it can.
    """

    name: str
    origin: str
    summary: str
    problem: str = ""


class Registry(Generic[T]):
    """The plug-ins of one kind.

    Args:
        kind: word for one plug-in in messages, such as ``search space``.
        builtins: the table; a string stands for a `Builtin` of that place.
        group: group of the entry points through which other packages add names.
        fault: ``fault(found, name)`` returns what is wrong with an object of another package, as in "it must be a
            function"; empty if nothing is wrong.
        unknown: error class for a name that nothing offers.
        broken: error class for a name that is offered twice, or whose plug-in cannot be used.
    """

    def __init__(
        self,
        kind: str,
        builtins: Mapping[str, str | Builtin],
        group: str,
        *,
        fault: Callable[[Any, str], str],
        unknown: type[Exception],
        broken: type[Exception],
    ) -> None:
        """A registry; nothing is imported and no entry point is read yet."""
        self.kind, self.group = kind, group
        self.builtins = {name: Builtin(line) if isinstance(line, str) else line for name, line in builtins.items()}
        self._fault, self._unknown, self._broken = fault, unknown, broken
        self._loaded: dict[Offer, T] = {}
        self._offers: tuple[Select | None, dict[str, list[Offer]]] = (None, {})

    def names(self) -> tuple[str, ...]:
        """All known names: the built-ins in the order of their table, then the others, sorted."""
        return tuple(self._all())

    def __iter__(self) -> Iterator[str]:
        """See `names`."""
        return iter(self.names())

    def __len__(self) -> int:
        """Number of known names."""
        return len(self._all())

    def __contains__(self, name: object) -> bool:
        """Whether anything offers that name."""
        return name in self._all()

    def load(self, name: object) -> T:
        """The object of that name, imported now.

        Raises:
            self.unknown: nothing offers the name; the message lists the known names, the most similar first.
            self.broken: it is offered twice, or its plug-in cannot be used; the message names the places.
        """
        offers = self._all().get(name, []) if isinstance(name, str) else []
        if not offers:
            raise self._unknown(unknown_name(self.kind, name, self.names()))
        if len(offers) > 1:
            raise self._broken(f"{self.kind} {name!r} is {_twice(offers)}")
        return self._load(str(name), offers[0])

    def origin(self, name: str) -> str:
        """Origin of a known name: `BUILT_IN`, or the name and version of a distribution."""
        return " and ".join(offer.origin for offer in self._all()[name])

    def usable(self) -> tuple[str, ...]:
        """The names without a problem; other packages' plug-ins are imported to check them."""
        return tuple(listed.name for listed in self.listed() if not listed.problem)

    def listed(self) -> list[Listed]:
        """Every name with its origin and summary. Other packages' plug-ins are imported, to find the broken ones."""
        return [self._listed(name, offers) for name, offers in self._all().items()]

    def _listed(self, name: str, offers: list[Offer]) -> Listed:
        if len(offers) > 1:
            problem = f"{self.kind} {name!r} is {_twice(offers)}"
            return Listed(name, self.origin(name), "", problem)
        if offers[0].origin == BUILT_IN:
            line = self.builtins[name]
            return Listed(name, BUILT_IN, line.summary or first_line(line.told_by or line.place.partition(":")[0]))
        try:
            found = self._load(name, offers[0])
        except self._broken as error:
            return Listed(name, offers[0].origin, "", str(error))
        return Listed(name, offers[0].origin, summary_of(found))

    def _load(self, name: str, offer: Offer) -> T:
        """Import an offer, once; objects of other packages are checked."""
        if offer not in self._loaded:
            if offer.origin == BUILT_IN:
                self._loaded[offer] = offer.load()
            else:
                self._loaded[offer] = self._checked(name, offer)
        return self._loaded[offer]

    def _checked(self, name: str, offer: Offer) -> T:
        place = f"{self.kind} {name!r} of {offer} cannot be used"
        try:
            found: T = offer.load()
            fault = self._fault(found, name)
        except Exception as error:
            raise self._broken(f"{place}: {type(error).__name__}: {error}") from error
        if fault:
            raise self._broken(f"{place}: {fault}, got {found!r}")
        return found

    def _all(self) -> dict[str, list[Offer]]:
        """Every name with all its offers."""
        installed = _installed(tuple(sys.path))
        if self._offers[0] is not installed:
            self._offers = (installed, self._merged(installed))
        return self._offers[1]

    def _merged(self, installed: Select) -> dict[str, list[Offer]]:
        merged = {name: [_builtin(line.place)] for name, line in self.builtins.items()}
        for point in sorted(installed(group=self.group), key=lambda point: (point.name, point.value)):
            merged.setdefault(point.name, []).append(Offer(point.value, _origin(point), point.load))
        return merged


def first_line(place: str) -> str:
    """First line of the docstring of ``module`` or ``module:attribute``, read from the source without running it."""
    module, _, attribute = place.partition(":")
    spec = find_spec(module)
    source = getattr(spec.loader, "get_source", lambda name: None)(module) if spec is not None else None
    tree = ast.parse(source or "")
    if not attribute:
        return _first(ast.get_docstring(tree))
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = [node for node in tree.body if isinstance(node, kinds) and node.name == attribute]
    return _first(ast.get_docstring(found[0])) if found else ""


def summary_of(found: object) -> str:
    """Summary of a loaded object: its ``meaning``, else the first line of its docstring or of its module's docstring."""
    meaning = getattr(found, "meaning", None)
    if isinstance(meaning, str):
        return _first(meaning)
    own = getattr(found, "__doc__", None) if callable(found) else None
    module = sys.modules.get(getattr(found, "__module__", ""), None)
    return _first(own) or _first(getattr(module, "__doc__", None))


def _first(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[0].strip() if lines else ""


def _builtin(place: str) -> Offer:
    module, _, attribute = place.partition(":")
    return Offer(place, BUILT_IN, lambda: getattr(import_module(module), attribute))


def _origin(point: EntryPoint) -> str:
    """Name and version of the distribution that an entry point belongs to."""
    metadata = None if point.dist is None else point.dist.metadata
    if not metadata or "Name" not in metadata or "Version" not in metadata:
        return "an unnamed distribution"
    return f"{metadata['Name']} {metadata['Version']}"


def _twice(offers: list[Offer]) -> str:
    return f"offered by {' and by '.join(map(str, offers))}; uninstall all but one"


@lru_cache(maxsize=1)
def _installed(path: tuple[str, ...]) -> Select:
    """The entry points of all distributions on a path, by group. Reading them takes milliseconds, so it is done once."""
    return entry_points().select
