"""A trial: one real training of one candidate, with what was predicted before and measured after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.measure.costs import COSTS
from nas.metrics import METRICS, Metric
from search_spaces import Candidate

COLUMNS = (
    "number",
    "round",
    "repeat",
    "digest",
    "accuracy",
    "score",
    "score_std",
    "nnz",
    "params",
    "macs",
    "bytes",
    "latency",
    "dead_units",
    "seconds",
    "seed",
    "error",
    "candidate",
)
"""The columns that every table of trials has; metrics and costs of other packages come after them."""


@dataclass(frozen=True)
class Score:
    """A predicted accuracy with its standard deviation. Never mixed with a measured one."""

    mean: float
    std: float

    def in_unit_of(self, metric: Metric) -> "Score":
        """A score on the scale from 0 to 1 that predictors know, as a score in the unit of a metric."""
        low, high = metric.from_share(self.mean - self.std), metric.from_share(self.mean + self.std)
        mean = metric.from_share(self.mean)
        return self if mean == self.mean else Score(mean, abs(high - low) / 2)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training.

    Attributes:
        number: position in the record, from 0.
        round: the round of the search that chose it.
        repeat: 0 for the first training of a candidate, 1, 2, … where a leading candidate is trained again to be sure of it.
        candidate: what was trained.
        accuracy: the metric of the search, accuracy or another one, measured on the validation split; None where the training
            failed.
        score: what the predictor said before the training; None where none was asked.
        metrics: exact counts of the built network: ``nnz``, ``params``, ``weights``, ``macs``, and by name whatever else the
            objectives and constraints name: costs of the network, metrics of the trained network on the validation split.
        seconds: wall time of the training.
        seed: of the training.
        dead_units: units that the mask leaves without input or output.
        error: why the training failed; empty where it did not.
        proposal: Optuna parameters, distributions and system attributes, where a sampler proposed the candidate.
    """

    number: int
    round: int
    repeat: int
    candidate: Candidate
    accuracy: float | None
    score: Score | None
    metrics: Mapping[str, float]
    seconds: float
    seed: int
    dead_units: int = 0
    error: str = ""
    proposal: "Proposal | None" = None

    @property
    def digest(self) -> str:
        """Digest of the candidate."""
        return self.candidate.digest

    @property
    def failed(self) -> bool:
        """Whether the training gave no accuracy."""
        return self.accuracy is None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, without the sampler's own parameters."""
        return {
            "number": self.number,
            "round": self.round,
            "repeat": self.repeat,
            "digest": self.digest,
            "accuracy": self.accuracy,
            "score": None if self.score is None else {"mean": self.score.mean, "std": self.score.std},
            "metrics": dict(self.metrics),
            "dead_units": self.dead_units,
            "seconds": self.seconds,
            "seed": self.seed,
            "error": self.error,
            "candidate": self.candidate.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A candidate that a strategy proposes, with what its sampler wants to remember of it."""

    candidate: Candidate
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, Any] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CandidateResult:
    """All trainings of one candidate together.

    Attributes:
        candidate: the candidate.
        accuracy: mean over its trainings that did not fail.
        accuracies: one per training.
        metrics: as in `Trial`: costs of the first training, the means of metrics.
        score: prediction made before its first training.
        number: of its first trial.
    """

    candidate: Candidate
    accuracy: float
    accuracies: tuple[float, ...]
    metrics: Mapping[str, float]
    score: Score | None
    number: int


def results_by_candidate(trials: Sequence[Trial]) -> list[CandidateResult]:
    """One result per candidate that was trained without failure, in order of the first training."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        if not trial.failed:
            groups.setdefault(trial.digest, []).append(trial)
    result = []
    for group in groups.values():
        accuracies = tuple(trial.accuracy for trial in group if trial.accuracy is not None)
        first = group[0]
        result.append(
            CandidateResult(
                candidate=first.candidate,
                accuracy=sum(accuracies) / len(accuracies),
                accuracies=accuracies,
                metrics=_metrics(group),
                score=first.score,
                number=first.number,
            )
        )
    return result


def _metrics(trials: Sequence[Trial]) -> Mapping[str, float]:
    """Costs of the first training; metrics as their means over all trainings that have them."""
    metrics = dict(trials[0].metrics)
    for name in metrics:
        if name in METRICS:
            found = [trial.metrics[name] for trial in trials if name in trial.metrics]
            metrics[name] = sum(found) / len(found)
    return metrics


def further(metrics: Mapping[str, float]) -> list[str]:
    """Names of metrics, and of costs of other packages, sorted: what tables show beside the columns that all of them have."""
    return sorted(name for name in metrics if name not in COSTS.builtins)
