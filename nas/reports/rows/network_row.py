"""A row of the table of networks: the winner or a baseline, trained again and measured on the test split."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import mean, stdev
from typing import Any

from nas.percent import percent
from nas.reports.fields import Fields
from nas.reports.rows.cell import Cell, Cells
from nas.reports.rows.finish import Finish
from nas.study.trial import Score


@dataclass(frozen=True, kw_only=True)
class NetworkRow:
    """A network that was trained again with several fresh seeds.

    Attributes:
        name: ``winner``, ``dense``, ``by hand`` or ``random``.
        digest: digest of the candidate.
        candidate: candidate as JSON.
        accuracies: test metric of each training.
        validation: validation metric of each training.
        seeds: seed of each training.
        nnz: number of non-zero weights.
        bytes: size of the exported file.
        latency: milliseconds of one example in onnxruntime on one thread.
        largest_error: largest error of the export against the trained network.
        file: path of the export, relative to the run's folder.
        score: prediction before its first training; None for the baselines and without a predictor.
        interval: 95 % interval of the mean test metric over test examples of the same kind; None in a report of an earlier version.
        expected: what it was expected to reach on new examples when it was chosen, from validation and training metrics of the whole run;
            None if its validation metric alone decided.
        error: standard error, over the test examples, of the difference between the winner and this network; None for the winner
            and in a report of an earlier version.
        finish: its further trainings on the whole training split; None if none were tried.
    """

    name: str
    digest: str
    candidate: Mapping[str, Any]
    accuracies: tuple[float, ...]
    validation: tuple[float, ...]
    seeds: tuple[int, ...]
    nnz: int
    bytes: int
    latency: float
    largest_error: float
    file: str
    score: Score | None = None
    interval: tuple[float, float] | None = None
    error: float | None = None
    expected: float | None = None
    finish: Finish | None = None

    @cached_property
    def mean(self) -> float:
        """Mean test metric."""
        return mean(self.accuracies)

    @cached_property
    def std(self) -> float | None:
        """Standard deviation of the test metric between trainings; None for a single training."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def measured(self) -> str:
        """Mean test metric with its spread, for people."""
        return percent(self.mean, self.std)

    @property
    def between(self) -> str:
        """The interval for people; empty if there is none."""
        return "" if self.interval is None else f"{100 * self.interval[0]:.1f} to {100 * self.interval[1]:.1f} %"

    def cells(self) -> Cells:
        """The row for people."""
        between = {} if self.interval is None else {"95 % interval": Cell(self.between, self.interval[0])}
        return {
            "network": Cell.label(self.name),
            "measured": Cell(self.measured, self.mean),
            **between,
            "trainings": self._trainings(),
            "non-zeros": Cell.count(self.nnz),
            "bytes": Cell.count(self.bytes),
            "latency ms": Cell.number(self.latency, ".3f"),
            "largest export error": Cell.number(self.largest_error, ".1e"),
        }

    def _trainings(self) -> Cell:
        """The number of trainings, with the further ones that each of them had."""
        further = 0 if self.finish is None else self.finish.trainings
        count = len(self.accuracies)
        return Cell(f"{count:,} + {further}", count) if further else Cell.count(count)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, with the mean and spread of the test metric under ``test``."""
        lists = {name: list(getattr(self, name)) for name in ("accuracies", "validation", "seeds")}
        test = {"mean": self.mean, "std": self.std, "trainings": len(self.accuracies)}
        interval = None if self.interval is None else list(self.interval)
        finish = None if self.finish is None else self.finish.to_json()
        return asdict(self) | lists | {"interval": interval, "finish": finish, "test": test}

    @classmethod
    def from_json(cls, data: object, place: str) -> "NetworkRow":
        """Read what `to_json` wrote; the figures under ``test`` are computed from the accuracies."""
        fields = Fields(data, place)
        return cls(
            name=fields.text("name"),
            digest=fields.text("digest"),
            candidate=fields.mapping("candidate"),
            accuracies=fields.values("accuracies"),
            validation=fields.values("validation"),
            seeds=fields.counts("seeds"),
            nnz=fields.count("nnz"),
            bytes=fields.count("bytes"),
            latency=fields.number("latency", low=0.0),
            largest_error=fields.number("largest_error", low=0.0),
            file=fields.text("file"),
            score=fields.score("score"),
            interval=_interval(fields),
            error=fields.number("error", low=0.0) if "error" in fields else None,
            expected=fields.number("expected") if "expected" in fields else None,
            finish=Finish.from_json(fields.mapping("finish"), f"{place}, 'finish'") if "finish" in fields else None,
        )


def _interval(fields: Fields) -> tuple[float, float] | None:
    if "interval" not in fields:
        return None
    low, high = (fields.values("interval") * 2)[:2]
    return min(low, high), max(low, high)
