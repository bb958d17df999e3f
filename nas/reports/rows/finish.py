"""Further trainings of a network on the whole training split, after a search on a subset."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from nas.percent import percent
from nas.reports.fields import Fields


@dataclass(frozen=True, kw_only=True)
class Finish:
    """How a network went on after it was chosen.

    Attributes:
        trainings: further trainings on the whole training split; 0 if they made it no better on validation examples.
        found: test metric of each network as it was found; empty if it stayed so.
        before, after: mean metric on the whole validation split before and after them.
    """

    trainings: int
    before: float
    after: float
    found: tuple[float, ...] = ()

    @property
    def remark(self) -> str:
        """A sentence about the winner."""
        figures = f"{percent(self.before)} before, {percent(self.after)} after, on all validation examples"
        if not self.trainings:
            return f"Further trainings on the whole training split made it no better ({figures}), so it is kept as it was found."
        several = f"{self.trainings} further training{'s' if self.trainings > 1 else ''} on the whole training split"
        return f"As it was found, the winner has {percent(mean(self.found))} on the test split; then it had {several} ({figures})."

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"found": list(self.found)}

    @classmethod
    def from_json(cls, data: Mapping[str, object], place: str) -> "Finish":
        """Read the fields from a report."""
        fields = Fields(data, place)
        return cls(
            trainings=fields.count("trainings"),
            found=fields.values("found") if fields.items("found") else (),
            before=fields.number("before"),
            after=fields.number("after"),
        )
