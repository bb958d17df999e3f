"""A row of the table of predictions: the prediction for one network and one task."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nas.percent import percent
from nas.reports.rows.cell import Cell, Cells

if TYPE_CHECKING:
    from predictors import Explanation


WEIGHTS = {"fresh": "fresh: trained again", "own": "own: as pruned"}
"""What the two kinds of weights are called in a table."""


@dataclass(frozen=True, kw_only=True)
class PredictedCost:
    """Predicted costs of a network.

    Attributes:
        latency: milliseconds of one example, with its standard deviation.
        latency_outside: whether the network has operators that were never measured.
        bytes: exact size of the exported file without metadata.
    """

    latency: float
    latency_std: float
    latency_outside: bool
    bytes: int


@dataclass(frozen=True, kw_only=True)
class PredictionRow:
    """A prediction for one network and one task.

    Attributes:
        model: path of the file.
        task: name of the task; None if the predictor knows only one task without a name.
        weights: ``own``, the weights that a mask method left, or ``fresh`` ones; None if the predictor knows only fresh ones.
        score, std: predicted accuracy with its standard deviation.
        low, high: interval that contains the accuracy with a probability of 90 %.
        distance: distance from the networks of the fit, above 1 means *outside*; None if the predictor does not know it.
        unseen: whether the predictor was not fitted on this task, or not on this kind of network for the task.
        doubtful: whether the interval is so wide that the predictor itself expects a large error.
        why: how an outside network differs from those of the fit, in words; empty if it is not outside or nothing can be said.
        cost: predicted costs, if requested.
        explanation: explanation of the prediction, if requested.
    """

    model: str
    task: str | None
    score: float
    std: float
    low: float
    high: float
    distance: float | None
    unseen: bool
    doubtful: bool = False
    why: str = ""
    cost: PredictedCost | None = None
    explanation: "Explanation | None" = None
    weights: str | None = None

    @property
    def outside(self) -> bool | None:
        """Whether the network is unlike all networks of the fit; None if the predictor does not know it."""
        return None if self.distance is None else self.distance > 1

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; cost and explanation only if they were requested."""
        names = ("model", "task", "score", "std", "low", "high", "distance", "outside", "doubtful", "unseen")
        data = {name: getattr(self, name) for name in names}
        if self.outside:
            data["why"] = self.why
        if self.weights is not None:
            data["weights"] = self.weights
        if self.cost is not None:
            data |= asdict(self.cost)
        return data if self.explanation is None else data | {"explanation": asdict(self.explanation)}

    def cells(self) -> Cells:
        """The row for people."""
        cells = {"model": Cell.label(self.model)}
        if self.task:
            cells["task"] = Cell.label(self.task)
        if self.weights:
            cells["weights"] = Cell.label(WEIGHTS[self.weights])
        cells |= {
            "predicted": Cell(percent(self.score, self.std), self.score),
            "9 times in 10": Cell(f"{100 * self.low:.1f} to {100 * self.high:.1f} %", self.low),
            "support": Cell.label(self._support),
        }
        if self.cost is not None:
            doubt = " ?" if self.cost.latency_outside else ""
            cells["ms"] = Cell(f"{self.cost.latency:.4f} ± {self.cost.latency_std:.4f}{doubt}", self.cost.latency)
            cells["bytes"] = Cell.count(self.cost.bytes)
        return cells

    @property
    def _support(self) -> str:
        """How well the predictor knows such networks: one word and, for what it does not know, the reason."""
        if self.outside:
            return f"outside: {self.why}" if self.why else "outside"
        if self.unseen:
            return "unseen"
        return "doubtful" if self.doubtful else "" if self.outside is None else "inside"
