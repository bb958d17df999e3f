"""A row of the Pareto front, with measured and predicted values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nas.percent import percent
from nas.reports.fields import Fields
from nas.reports.rows.cell import Cell, Cells
from nas.study.trial import CandidateResult, Score, further


@dataclass(frozen=True, kw_only=True)
class FrontRow:
    """A candidate that no other candidate dominates.

    Attributes:
        digest: digest of the candidate.
        accuracy: mean validation metric.
        accuracies: validation metric of each training.
        score: prediction before the first training; None without a prediction.
        nnz: number of non-zero weights.
        bytes: size of the network in its exported form.
        latency: milliseconds of one example in onnxruntime on one thread.
        metrics: all costs and metrics that the search measured, by name; empty in an older report.
        trial: number of the first training.
        candidate: candidate as JSON.
    """

    digest: str
    accuracy: float
    accuracies: tuple[float, ...]
    score: Score | None
    nnz: int
    bytes: int
    latency: float
    metrics: Mapping[str, float]
    trial: int
    candidate: Mapping[str, Any]

    @classmethod
    def of(cls, result: CandidateResult, *, bytes_: int, latency: float) -> "FrontRow":
        """The row of a candidate."""
        return cls(
            digest=result.candidate.digest,
            accuracy=result.accuracy,
            accuracies=result.accuracies,
            score=result.score,
            nnz=int(result.metrics["nnz"]),
            bytes=bytes_,
            latency=latency,
            metrics=dict(result.metrics),
            trial=result.number,
            candidate=result.candidate.to_json(),
        )

    def cells(self) -> Cells:
        """The row for people."""
        return {
            "trial": Cell.count(self.trial),
            "candidate": Cell.label(self.digest[:8]),
            "measured": Cell(percent(self.accuracy), self.accuracy),
            "trainings": Cell.count(len(self.accuracies)),
            "predicted": Cell.score(self.score),
            "non-zeros": Cell.count(self.nnz),
            "bytes": Cell.count(self.bytes),
            "latency ms": Cell.number(self.latency, ".3f"),
            **{name: Cell.number(self.metrics[name], ".4g") for name in further(self.metrics)},
        }

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"accuracies": list(self.accuracies)}

    @classmethod
    def from_json(cls, data: object, place: str) -> "FrontRow":
        """Read what `to_json` wrote."""
        fields = Fields(data, place)
        return cls(
            digest=fields.text("digest"),
            accuracy=fields.number("accuracy"),
            accuracies=fields.values("accuracies"),
            score=fields.score("score"),
            nnz=fields.count("nnz"),
            bytes=fields.count("bytes"),
            latency=fields.number("latency", low=0.0),
            metrics=fields.numbers("metrics") if "metrics" in fields else {},
            trial=fields.count("trial"),
            candidate=fields.mapping("candidate"),
        )
