"""A row of the table of trials: one training of the search."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from nas.errors import RunError
from nas.percent import percent
from nas.reports.fields import Fields
from nas.reports.rows.cell import Cell, Cells
from nas.study.trial import Score, Trial, further
from nas.study.way import Way, of_first_trainings, read_way
from search_spaces import Candidate, SpaceError


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """A trial of the search, with attributes of `Trial`."""

    number: int
    round: int
    repeat: int
    digest: str
    accuracy: float | None
    score: Score | None
    metrics: Mapping[str, float]
    dead_units: int
    seconds: float
    seed: int
    error: str
    candidate: Mapping[str, Any]
    cost: float = 1.0
    way: Way = "drawn"
    train_accuracy: float | None = None

    @classmethod
    def of(cls, trial: Trial) -> "TrialRow":
        """The row of a trial."""
        told = {name: value for name, value in trial.to_json().items() if name != "ticket"}
        return cls(**told | {"score": trial.score})

    @classmethod
    def all_from_json(cls, data: Sequence[object], place: str) -> "tuple[TrialRow, ...]":
        """Read the rows of a whole search."""
        rows = [cls.from_json(row, f"{place}, row {number} of 'trials'") for number, row in enumerate(data)]
        ways = of_first_trainings((row.digest, row.way) for row in rows)
        return tuple(replace(row, way=way) for row, way in zip(rows, ways, strict=True))

    @property
    def nnz(self) -> int:
        """Non-zero weights."""
        return int(self.metrics["nnz"])

    def cells(self) -> Cells:
        """The row for people."""
        failed = Cell(f"failed: {self.error}", None)
        return {
            "trial": Cell.count(self.number),
            "candidate": Cell.label(self.digest[:8]),
            "round": Cell.count(self.round),
            "repeat": Cell.count(self.repeat),
            "way": Cell.label(self.way),
            "measured": failed if self.accuracy is None else Cell(percent(self.accuracy), self.accuracy),
            "predicted": Cell.score(self.score),
            "non-zeros": Cell.count(self.nnz),
            **{name: Cell.number(self.metrics[name], ".4g") for name in further(self.metrics)},
            "dead units": Cell.count(self.dead_units),
            "cost": Cell.number(self.cost, ".3g"),
            "seconds": Cell.number(self.seconds, ".2f"),
        }

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object, place: str) -> "TrialRow":
        """Read what `to_json` wrote."""
        fields = Fields(data, place)
        metrics = fields.within("metrics")
        metrics.count("nnz")
        return cls(
            number=fields.count("number"),
            round=fields.count("round"),
            repeat=fields.count("repeat"),
            digest=fields.text("digest"),
            accuracy=fields.number("accuracy") if "accuracy" in fields else None,
            score=fields.score("score"),
            metrics=fields.numbers("metrics"),
            dead_units=fields.count("dead_units"),
            seconds=fields.number("seconds", low=0.0),
            seed=fields.count("seed"),
            error=fields.text("error"),
            candidate=_candidate(fields, place),
            cost=fields.number("cost", low=0.0) if "cost" in fields else 1.0,
            way=_way(fields, place),
            train_accuracy=fields.number("train_accuracy") if "train_accuracy" in fields else None,
        )


def _way(fields: Fields, place: str) -> Way:
    """The way of searching; inferred in a report of an earlier version."""
    stored = fields.value("way") if "way" in fields else None
    try:
        return read_way(stored, _candidate(fields, place), fields.count("round"))
    except ValueError as error:
        raise RunError(f"{place} is damaged: 'way' must be a way of searching ({error})") from None


def _candidate(fields: Fields, place: str) -> Mapping[str, Any]:
    """A candidate as JSON, checked."""
    data = fields.mapping("candidate")
    try:
        Candidate.from_json(data)
    except SpaceError as error:
        raise RunError(f"{place} is damaged: 'candidate': {error}") from None
    return data
