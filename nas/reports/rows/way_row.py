"""A row of the table of ways: what one way of searching spent and found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nas.percent import percent
from nas.reports.fields import Fields
from nas.reports.rows.cell import Cell, Cells
from nas.reports.rows.network_row import NetworkRow
from nas.reports.rows.trial_row import TrialRow

LABELS = ("by hand", "small dense", "discovered", "evolved", "drawn", "random")
"""Ways for people, in the order of the table. What one does by hand is a method on a plain network, or a small dense network."""
_LABEL = {
    "reference": "by hand",
    "discovery": "discovered",
    "evolution": "evolved",
    "drawn": "drawn",
    "random": "random",
}


def label_of(trial: TrialRow) -> str:
    """The way of a trial, for people."""
    dense = trial.way == "reference" and "learned" not in dict(trial.candidate.get("mask") or {})
    return "small dense" if dense else _LABEL[trial.way]


@dataclass(frozen=True, kw_only=True)
class WayRow:
    """What one way of searching spent and found.

    Attributes:
        way: one of `LABELS`, or ``random baseline``.
        trials: number of trainings that were run.
        trainings: their cost, in trainings of the search's length.
        epochs: their epochs of all phases.
        validation: best validation metric of a single training; None if all failed.
        test: best test metric of its networks that were measured on the test split; None if none was.
    """

    way: str
    trials: int
    trainings: float
    epochs: int
    validation: float | None
    test: float | None = None

    @classmethod
    def of(
        cls, way: str, trials: Sequence[TrialRow], *, epochs: int, sign: float, networks: Iterable[NetworkRow] = ()
    ) -> "WayRow":
        """The row of some trials.

        Args:
            way: label of the row.
            trials: trainings of this way.
            epochs: epochs of one training.
            sign: factor that makes larger values of the metric better.
            networks: networks that were measured on the test split.
        """
        digests = {trial.digest for trial in trials}
        trainings = round(sum(trial.cost for trial in trials), 6)
        return cls(
            way=way,
            trials=len(trials),
            trainings=trainings,
            epochs=round(trainings * epochs),
            validation=_best([trial.accuracy for trial in trials if trial.accuracy is not None], sign),
            test=_best([row.mean for row in networks if row.digest in digests and row.name != "dense"], sign),
        )

    @classmethod
    def all(
        cls, trials: Sequence[TrialRow], networks: Sequence[NetworkRow], *, epochs: int, sign: float
    ) -> "tuple[WayRow, ...]":
        """One row for each way that was taken."""
        groups: dict[str, list[TrialRow]] = {label: [] for label in LABELS}
        for trial in trials:
            groups[label_of(trial)].append(trial)
        return tuple(
            cls.of(label, group, epochs=epochs, sign=sign, networks=networks)
            for label, group in groups.items()
            if group
        )

    def cells(self) -> Cells:
        """The row for people."""
        return {
            "found": Cell.label(self.way),
            "trials": Cell.count(self.trials),
            "trainings": Cell.number(self.trainings, "g"),
            "epochs": Cell.count(self.epochs),
            "best on validation": Cell(percent(self.validation), self.validation),
            "best on test": Cell(percent(self.test) or "not measured", self.test),
        }

    def to_json(self) -> Mapping[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object, place: str) -> "WayRow":
        """Read what `to_json` wrote."""
        fields = Fields(data, place)
        return cls(
            way=fields.text("way"),
            trials=fields.count("trials"),
            trainings=fields.number("trainings", low=0.0),
            epochs=fields.count("epochs"),
            validation=fields.number("validation") if "validation" in fields else None,
            test=fields.number("test") if "test" in fields else None,
        )


def _best(values: Sequence[float], sign: float) -> float | None:
    return max(values, key=lambda value: sign * value, default=None)
