"""Options that all search spaces share, their checks, and their JSON form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from onnx_graph import nearest, unknown_name
from search_spaces.errors import InvalidOptionError
from search_spaces.masks.edits import EDITS
from search_spaces.masks.recipe import DISTRIBUTIONS, PATTERNS

OptionsT = TypeVar("OptionsT", bound="SpaceOptions")

SEARCHED = ("random", "watts-strogatz", "barabasi-albert", "expander", "block", "n:m", "channel")
"""Patterns that a search draws by default: the quick ones that differ from each other on every layer."""


@dataclass(frozen=True, kw_only=True)
class SpaceOptions:
    """Which masks a space draws.

    Attributes:
        max_nnz: largest number of kept weights of a candidate; None: no such bound.
        min_density: smallest share of kept weights; None: 0.02, or a quarter of `max_density` if that is less.
        max_density: largest share of kept weights, a bound like `max_nnz`.
        min_fill: smallest used share of the budget `max_nnz`, in (0, 1].
        distributions: names of the distributions of density among the layers that may be drawn.
        patterns: names of the patterns that may be drawn.
        min_live: smallest share of the kept weights that must lie on a path from input to output; `sample` draws again if
            the share is smaller or an output has no such path; 0: it accepts every draw, which is faster.
        max_edits: largest number of mask edits of a candidate; 0: none.
        edits: names of the mask edits that may be drawn.
    """

    max_nnz: int | None = None
    min_density: float | None = None
    max_density: float = 0.5
    min_fill: float = 0.5
    distributions: tuple[str, ...] = tuple(DISTRIBUTIONS.builtins)
    patterns: tuple[str, ...] = SEARCHED
    min_live: float = 0.5
    max_edits: int = 12
    edits: tuple[str, ...] = tuple(EDITS.builtins)

    def __post_init__(self) -> None:
        """Check the values."""
        if self.max_nnz is not None and (not _whole(self.max_nnz) or self.max_nnz < 1):
            raise InvalidOptionError(f"max_nnz is {self.max_nnz!r}; it must be a whole number of at least 1, or None")
        check_share("max_density", self.max_density)
        check_share("min_fill", self.min_fill)
        if self.min_live != 0:
            check_share("min_live", self.min_live)
        if self.min_density is None:
            object.__setattr__(self, "min_density", min(0.02, self.max_density / 4))
        check_share("min_density", self.min_density)
        if self.lowest_density > self.max_density:
            raise InvalidOptionError(
                f"min_density {self.min_density} is above max_density {self.max_density}; lower it"
            )
        if not _whole(self.max_edits) or self.max_edits < 0:
            raise InvalidOptionError(f"max_edits is {self.max_edits!r}; it must be a whole number of at least 0")
        check_names("distributions", self.distributions, DISTRIBUTIONS.names())
        check_names("patterns", self.patterns, PATTERNS.names())
        check_names("edits", self.edits, EDITS.names())

    @property
    def lowest_density(self) -> float:
        """`min_density`, resolved."""
        return self.max_density / 4 if self.min_density is None else self.min_density


def option_names(options_type: type[Any]) -> list[str]:
    """The names of the options of a class."""
    return [field.name for field in fields(options_type)]


def read(options_type: type[OptionsT], values: Mapping[str, object]) -> OptionsT:
    """Options from JSON values: lists become tuples; for an unknown name `InvalidOptionError` lists the nearest names."""
    known = option_names(options_type)
    for name in values:
        if name not in known:
            raise InvalidOptionError(unknown_name("option", name, known))
    typed: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return options_type(**typed)


def to_json(options: SpaceOptions) -> dict[str, object]:
    """Inverse of `read`."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


LARGEST = 1 << 20
"""Largest width or number of units."""

DEEPEST = 256
"""Largest number of layers; it is small since every pair of layers can be connected by a skip."""

MOST_VERTICES, MOST_NODES = 4_096, 64
"""Largest number of vertices of a random graph or a cell, where every pair can be connected, too."""


def check_range(name: str, bounds: Sequence[int], least: int, most: int = LARGEST) -> None:
    """`bounds` must be two whole numbers, `least` ≤ low ≤ high ≤ `most`."""
    if not isinstance(bounds, tuple) or len(bounds) != 2 or not all(_whole(bound) for bound in bounds):
        raise InvalidOptionError(f"{name} is {bounds!r}; it must be two whole numbers, as in (1, 4)")
    if not least <= bounds[0] <= bounds[1] <= most:
        raise InvalidOptionError(
            f"{name} is {repr(bounds)[:80]}; it must be (low, high) with {least} ≤ low ≤ high ≤ {most:,}"
        )


def check_names(name: str, chosen: Sequence[str], known: Sequence[str] | Mapping[str, object]) -> None:
    """`chosen` must be some of the known names, each once."""
    if not isinstance(chosen, tuple) or not chosen:
        raise InvalidOptionError(f"{name} is {chosen!r}; it must be a list of at least one of {', '.join(known)}")
    for one in chosen:
        if one not in known:
            raise InvalidOptionError(
                f"{name} holds {one!r}; did you mean {nearest(str(one), known)[0]!r}? Known: {', '.join(known)}"
            )
    if len(set(chosen)) != len(chosen):
        raise InvalidOptionError(f"{name} is {chosen!r}; name each once")


def check_share(name: str, value: object) -> None:
    """`value` must be a number in (0, 1]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise InvalidOptionError(f"{name} is {value!r}; it must be a number in (0, 1]")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
