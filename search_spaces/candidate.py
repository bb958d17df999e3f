"""A candidate: architecture, where its mask comes from, and mask edits, as small JSON, rebuilt anywhere bit for bit."""

import hashlib
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from search_spaces.errors import InvalidCandidateError

DEEPEST = 32
"""Deepest nesting of lists and objects in a candidate."""

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, kw_only=True)
class MaskRecipe:
    """How the mask of every weight is drawn.

    Attributes:
        distribution: rule that divides the density among the layers (``uniform``, ``er``, ``erk``, ``per-layer``).
        pattern: rule that places the kept connections of a layer (``random``, ``watts-strogatz``, ``n:m``, …).
        density: share of all maskable weights kept, in (0, 1].
        seed: seed of the draw.
        options: options of the distribution and of the pattern, by name.
    """

    distribution: str = "uniform"
    pattern: str = "random"
    density: float = 1.0
    seed: int = 0
    options: Mapping[str, Json] = field(default_factory=dict)


LONGEST = 64.0
"""Most times the search's number of epochs that a learned mask may be trained."""


@dataclass(frozen=True, kw_only=True)
class LearnedMask:
    """A mask that a method has still to find: the network is built dense, and its training ends with the mask.

    Attributes:
        method: name of the mask method.
        keep: number of weights to keep, at least 1.
        options: options of the method by name.
        length: length of the training, as a multiple of the search's number of epochs; above 0, at most `LONGEST`.
    """

    method: str
    keep: int
    options: Mapping[str, Json] = field(default_factory=dict)
    length: float = 1.0

    def __post_init__(self) -> None:
        """Refuse impossible values with a `TypeError` or a `ValueError`."""
        if not isinstance(self.method, str) or not isinstance(self.keep, int) or isinstance(self.keep, bool):
            raise TypeError(f"a method to find {self.keep!r} weights by {self.method!r}")
        if self.keep < 1:
            raise ValueError(f"{self.keep} weights to keep")
        if not isinstance(self.length, float) or not 0 < self.length <= LONGEST:
            raise ValueError(f"a training of the length {self.length!r}")


@dataclass(frozen=True, kw_only=True)
class InheritedMask:
    """A mask that trainings found, and maybe their weights: a ticket with its parents.

    Attributes:
        ticket: the masks of all maskable weights of the architecture (`search_spaces.Ticket.text`).
        weights: number of the maskable weights (`search_spaces.Ticket.size`).
        method: name of the method that found the first parent's mask.
        parents: trainings whose weights are inherited, in order, each ``DIGEST-REPEAT``; the first one that has a connection gives
            its weight. None: training begins with fresh weights.
    """

    ticket: str
    weights: int
    method: str = ""
    parents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse impossible values with a `TypeError`; the ticket itself is checked when it is read."""
        object.__setattr__(self, "parents", tuple(self.parents))
        texts = (self.ticket, self.method, *self.parents)
        if not all(isinstance(text, str) for text in texts) or not isinstance(self.weights, int):
            raise TypeError("a ticket that is no text, or a number of weights that is none")


MaskSource: TypeAlias = "MaskRecipe | LearnedMask | InheritedMask"
"""Where a mask comes from: it is drawn, to be learned, or inherited."""
_KEYS: dict[str, type[LearnedMask] | type[InheritedMask]] = {"learned": LearnedMask, "inherited": InheritedMask}
"""Keys in JSON of the masks that are not drawn."""


@dataclass(frozen=True, kw_only=True)
class MaskEdit:
    """One change of the masks after the recipe or the ticket: ``operator`` with its arguments, drawn from ``seed``."""

    operator: str
    arguments: Mapping[str, Json] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A point of a search space.

    Attributes:
        space: name of the space.
        architecture: the space's own parameters.
        mask: where the masks come from.
        edits: changes made to the masks afterwards, in order; none of a mask that is still to be learned.
    """

    space: str
    architecture: Mapping[str, Json]
    mask: MaskSource = MaskRecipe()
    edits: tuple[MaskEdit, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """As plain JSON values."""
        return {
            "space": self.space,
            "architecture": dict(self.architecture),
            "mask": _mask_to_json(self.mask),
            "edits": [{**vars(edit), "arguments": dict(edit.arguments)} for edit in self.edits],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> "Candidate":
        """Read what `to_json` wrote; anything else is an `InvalidCandidateError`."""
        try:
            candidate = cls(
                space=data["space"],  # type: ignore[arg-type]
                architecture=dict(data["architecture"]),  # type: ignore[arg-type]
                mask=_mask_from_json(data["mask"]),  # type: ignore[arg-type]
                edits=tuple(MaskEdit(**edit) for edit in data["edits"]),  # type: ignore[union-attr, arg-type]
            )
            if not isinstance(candidate.space, str):
                raise TypeError(f"space is {candidate.space!r}, no name")
            _check_values(candidate.to_json(), DEEPEST)
            _ = candidate.digest  # fails for values that are not JSON (NaN) and for options that are not a mapping
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidCandidateError(f"not a candidate ({error}): {reprlib.repr(data)}") from error
        return candidate

    @cached_property
    def digest(self) -> str:
        """Hash of the canonical JSON, 16 hexadecimal digits: the same for equal candidates, on any machine."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _mask_to_json(mask: MaskSource) -> dict[str, Json]:
    plain: dict[str, Json] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in vars(mask).items()
    }
    if not isinstance(mask, InheritedMask):
        plain["options"] = dict(mask.options)  # fails for what is no mapping
    if isinstance(mask, LearnedMask) and mask.length == 1:
        del plain["length"]  # digests of earlier versions, which knew no other length
    key = next((key for key, kind in _KEYS.items() if isinstance(mask, kind)), None)
    return plain if key is None else {key: plain}


def _mask_from_json(data: Mapping[str, Json]) -> MaskSource:
    key = next((key for key in _KEYS if key in data), None)
    if key is None:
        return MaskRecipe(**data)  # type: ignore[arg-type]
    if len(data) > 1:
        raise ValueError(f"a mask is {key} or something else, not both")
    return _KEYS[key](**data[key])  # type: ignore[arg-type]


def _check_values(value: Json, deepest: int) -> None:
    """Refuse numbers of more than 63 bits (NumPy fails on them, other readers of JSON round them) and great depth (recursion)."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        if not deepest:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
        for item in value:
            _check_values(item, deepest - 1)
    elif isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError("a whole number of more than 63 bits")
