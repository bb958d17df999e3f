"""A row of the table of times: the time of one kind of work."""

from dataclasses import dataclass, fields

from nas.reports.rows.cell import Cell, Cells
from nas.study.seconds import Seconds

MEANINGS = {
    "training": "training, winner and baselines included",
    "screening": "proposing and scoring candidates",
    "fitting": "fitting the predictor",
    "recording": "writing the record",
    "total": "all together, before this report was drawn",
}


@dataclass(frozen=True)
class TimeRow:
    """Wall time of one kind of work (a field of `Seconds`)."""

    part: str
    seconds: float

    @classmethod
    def all(cls, seconds: Seconds) -> "tuple[TimeRow, ...]":
        """One row for each kind of work."""
        return tuple(cls(field.name, getattr(seconds, field.name)) for field in fields(Seconds))

    def cells(self) -> Cells:
        """The row for people."""
        return {"part": Cell.label(MEANINGS.get(self.part, self.part)), "seconds": Cell.number(self.seconds, ".1f")}
