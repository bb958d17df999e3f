"""A candidate: architecture, mask recipe and mask edits as small JSON, rebuilt anywhere bit for bit."""

import hashlib
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, kw_only=True)
class MaskEdit:
    """One change of the masks after the recipe: ``operator`` with its arguments, drawn from ``seed``."""

    operator: str
    arguments: Mapping[str, Json] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A point of a search space.

    Attributes:
        space: name of the space.
        architecture: the space's own parameters.
        mask: the recipe that draws the masks.
        edits: changes made to the masks afterwards, in order.
    """

    space: str
    architecture: Mapping[str, Json]
    mask: MaskRecipe = MaskRecipe()
    edits: tuple[MaskEdit, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """As plain JSON values."""
        return {
            "space": self.space,
            "architecture": dict(self.architecture),
            "mask": {**vars(self.mask), "options": dict(self.mask.options)},
            "edits": [{**vars(edit), "arguments": dict(edit.arguments)} for edit in self.edits],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> "Candidate":
        """Read what `to_json` wrote; anything else is an `InvalidCandidateError`."""
        try:
            candidate = cls(
                space=data["space"],  # type: ignore[arg-type]
                architecture=dict(data["architecture"]),  # type: ignore[arg-type]
                mask=MaskRecipe(**data["mask"]),  # type: ignore[arg-type]
                edits=tuple(MaskEdit(**edit) for edit in data["edits"]),  # type: ignore[union-attr, arg-type]
            )
            if not isinstance(candidate.space, str):
                raise TypeError(f"space is {candidate.space!r}, no name")
            _check_values(candidate.to_json(), DEEPEST)
            _ = candidate.digest  # fails for values that are not JSON (NaN) and for options that are not a mapping
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidCandidateError(f"not a candidate ({error}): {reprlib.repr(data)}") from error
        return candidate

    @property
    def digest(self) -> str:
        """Hash of the canonical JSON, 16 hexadecimal digits: the same for equal candidates, on any machine."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


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
