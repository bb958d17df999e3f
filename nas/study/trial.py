"""A trial: one real training of one candidate, with the prediction before it and the measurements after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from nas.measure.costs import COSTS
from nas.metrics import METRICS, Metric
from nas.study.way import Way
from search_spaces import Candidate, Ticket

COLUMNS = (
    "number",
    "round",
    "repeat",
    "way",
    "digest",
    "accuracy",
    "train_accuracy",
    "score",
    "score_std",
    "nnz",
    "params",
    "macs",
    "bytes",
    "latency",
    "dead_units",
    "cost",
    "seconds",
    "seed",
    "error",
    "candidate",
)
"""Columns of every table of trials; metrics and costs of other packages follow after them."""


@dataclass(frozen=True)
class Score:
    """A predicted accuracy with its standard deviation. Never mixed with a measured one."""

    mean: float
    std: float

    def in_unit_of(self, metric: Metric) -> "Score":
        """A score on the predictors' scale from 0 to 1, converted to the unit of a metric."""
        low, high = metric.from_share(self.mean - self.std), metric.from_share(self.mean + self.std)
        mean = metric.from_share(self.mean)
        return self if mean == self.mean else Score(mean, abs(high - low) / 2)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training of one candidate.

    Attributes:
        number: position in the record, from 0.
        round: number of the search round that chose it.
        repeat: 0 for the first training of a candidate; 1, 2, … if a leading candidate is trained again to confirm it.
        candidate: candidate that was trained.
        accuracy: metric of the search, accuracy or another one, measured on the validation split; None if the training failed.
        train_accuracy: the same metric on the training split; None if it was not measured.
        score: prediction before the training; None without a predictor.
        metrics: exact counts of the built network: ``nnz``, ``params``, ``weights``, ``macs``, and the
            other costs and metrics in objectives and constraints, by name; metrics are measured on the validation split.
        seconds: wall time of the training.
        seed: seed of the training.
        dead_units: number of units that have no input or no output because of the mask.
        cost: epochs of all phases of the training, in trainings of the search's length.
        error: reason of a failed training; empty if it did not fail.
        way: how the candidate was found; all trainings of a candidate have the same way.
        ticket: the masks that the training ended with, if it found or inherited them.
        proposal: Optuna parameters, distributions and system attributes, if a sampler proposed the candidate.
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
    cost: float = 1.0
    error: str = ""
    way: Way = "drawn"
    train_accuracy: float | None = None
    ticket: Ticket | None = None
    proposal: "Proposal | None" = None

    @property
    def digest(self) -> str:
        """The digest of the candidate."""
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
            "train_accuracy": self.train_accuracy,
            "score": None if self.score is None else {"mean": self.score.mean, "std": self.score.std},
            "metrics": dict(self.metrics),
            "dead_units": self.dead_units,
            "seconds": self.seconds,
            "seed": self.seed,
            "cost": self.cost,
            "error": self.error,
            "way": self.way,
            "ticket": None if self.ticket is None else vars(self.ticket),
            "candidate": self.candidate.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A candidate that a strategy proposes, with the notes of its sampler."""

    candidate: Candidate
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, Any] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CandidateResult:
    """The results of all trainings of one candidate.

    Attributes:
        candidate: the candidate.
        accuracy: mean over its trainings that did not fail.
        accuracies: one per training.
        metrics: the same as in `Trial`: costs of the first training, and means of metrics.
        score: prediction made before its first training.
        number: number of its first trial.
        expected: what the network of each training is expected to reach on new examples; its accuracy if nothing more is known.
    """

    candidate: Candidate
    accuracy: float
    accuracies: tuple[float, ...]
    metrics: Mapping[str, float]
    score: Score | None
    number: int
    expected: tuple[float, ...]


def results_by_candidate(
    trials: Sequence[Trial], expected: Mapping[int, float] = MappingProxyType({})
) -> list[CandidateResult]:
    """One result per candidate that was trained without failure, in order of the first training.

    `expected` is what networks are expected to reach on new examples, by the number of the trial.
    """
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
                expected=tuple(
                    expected.get(trial.number, accuracy) for trial, accuracy in zip(group, accuracies, strict=True)
                ),
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
    """Names of metrics and of costs of other packages, sorted: the additional columns of tables."""
    return sorted(name for name in metrics if name not in COSTS.builtins)
