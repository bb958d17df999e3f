"""The mask of a network of the corpus that a training found, with the accuracy of that training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces import Ticket

ORIGINS = ("learned", "edited", "crossed")
"""Where a mask comes from: a method found it; it is such a mask with random edits; it is two such masks crossed."""


@dataclass(frozen=True, kw_only=True)
class LearnedMask:
    """A mask that a training found, or a child of such masks.

    Attributes:
        origin: one of `ORIGINS`.
        method: name of the method that found the mask, or the mask of the first parent.
        density: share of the weights that the method had to keep; of a child, the share that the first parent's method had to keep.
        ticket: the mask, trimmed: it holds only weights on live paths.
        parents: structures of the parents, in the same shard; none for a learned mask.
        seed: seed of the training that found the mask; of a child, of the training from its parents' weights.
        validation, test: metric on either split with the weights of that training (its own weights).
    """

    origin: str
    method: str
    density: float
    ticket: Ticket
    parents: tuple[str, ...]
    seed: int
    validation: float
    test: float

    def __post_init__(self) -> None:
        """Raise `ValueError` for values that no such mask has."""
        if self.origin not in ORIGINS:
            raise ValueError(f"origin {self.origin!r} is none of {', '.join(ORIGINS)}")
        if not (0 <= self.validation <= 1 and 0 <= self.test <= 1 and 0 < self.density <= 1):
            raise ValueError(
                f"validation {self.validation}, test {self.test} and density {self.density} must lie in [0, 1]"
            )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return vars(self) | {"ticket": vars(self.ticket)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LearnedMask":
        """Read what `to_json` wrote; `LookupError`, `TypeError` or `ValueError` for anything else."""
        return cls(
            origin=str(data["origin"]),
            method=str(data["method"]),
            density=float(data["density"]),
            ticket=Ticket(str(data["ticket"]["text"]), int(data["ticket"]["size"])),
            parents=tuple(str(parent) for parent in data["parents"]),
            seed=int(data["seed"]),
            validation=float(data["validation"]),
            test=float(data["test"]),
        )
