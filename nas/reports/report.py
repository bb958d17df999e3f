"""The report of a run: the winner, the front, the baselines, and where the time went. Plain JSON values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from nas.engine.search_loop import Seconds
from nas.percent import percent
from nas.study.trial import CandidateResult, Trial
from nas.tasks.task import Task

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A network trained anew with several seeds and measured on the test split.

    Attributes:
        name: ``winner``, ``dense`` or ``random``.
        digest: of the candidate.
        candidate: as JSON.
        accuracies: test metric of each training.
        validation: validation metric of each training.
        seeds: of the trainings.
        nnz: non-zero weights.
        bytes: of the exported file.
        latency: milliseconds of one example in onnxruntime on one thread.
        largest_error: of the export against the trained network.
        file: of the export, relative to the run's folder.
        score: predicted before its first training; None for the baselines without a predictor.
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
    score: Mapping[str, float] | None = None

    @property
    def mean(self) -> float:
        """Mean test metric."""
        return mean(self.accuracies)

    @property
    def std(self) -> float:
        """Standard deviation of the test metric between trainings; 0 for a single one."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, with the mean and spread of the test metric under ``test``."""
        data = asdict(self)
        data["accuracies"], data["seeds"] = list(self.accuracies), list(self.seeds)
        data["validation"] = list(self.validation)
        std = self.std if len(self.accuracies) > 1 else None
        data["test"] = {"mean": self.mean, "std": std, "trainings": len(self.accuracies)}
        return data


def front_row(result: CandidateResult, *, bytes_: int, latency: float) -> dict[str, Any]:
    """One line of the Pareto front: what was measured beside what was predicted."""
    return {
        "digest": result.candidate.digest,
        "accuracy": result.accuracy,
        "accuracies": list(result.accuracies),
        "score": None if result.score is None else {"mean": result.score.mean, "std": result.score.std},
        "nnz": int(result.metrics["nnz"]),
        "bytes": bytes_,
        "latency": latency,
        "metrics": dict(result.metrics),
        "trial": result.number,
        "candidate": result.candidate.to_json(),
    }


def build(
    *,
    config: Mapping[str, Any],
    task: Task,
    trials: Sequence[Trial],
    front: Sequence[Mapping[str, Any]],
    best: Measured,
    baselines: Sequence[Measured],
    seconds: Seconds,
    version: str,
) -> dict[str, Any]:
    """The whole report."""
    return {
        "format": VERSION,
        "version": version,
        "task": {
            "name": task.name,
            "metric": task.metric,
            "fingerprint": task.fingerprint,
            "description": task.description,
            "train": len(task.train),
            "validation": len(task.validation),
            "test": len(task.test),
        },
        "config": dict(config),
        "best": best.to_json(),
        "baselines": {baseline.name: baseline.to_json() for baseline in baselines},
        "front": [dict(row) for row in front],
        "trials": [trial.to_json() for trial in trials],
        "seconds": asdict(seconds),
        "sentence": sentence(best, baselines, task),
    }


def sentence(best: Measured, baselines: Sequence[Measured], task: Task) -> str:
    """One honest sentence: the winner beside the dense reference and random search, with spread and a verdict."""
    text = f"On the test split of {task.name} the winner reaches {_figures(best, task)}"
    for baseline in baselines:
        text += f"; {_LABELS[baseline.name]} {_figures(baseline, task)} ({_verdict(best, baseline)})"
    return text + "." + _size_remark(best, baselines)


def _size_remark(best: Measured, baselines: Sequence[Measured]) -> str:
    """Said where the zeros did not make the file smaller: a dense tensor stores them."""
    dense = next((baseline for baseline in baselines if baseline.name == "dense"), None)
    if dense is None or best.bytes < 0.95 * dense.bytes:
        return ""
    return (
        " The mask makes this file no smaller than the dense one, since dense tensors store their zeros: "
        'for fewer bytes bound them (--constraint bytes<=N) or let masks remove whole units (--space-option patterns=["channel"]).'
    )


_LABELS = {
    "dense": "its dense reference, trained the same way,",
    "random": "random search with as many trainings found",
}


def _figures(measured: Measured, task: Task) -> str:
    spread = measured.std if len(measured.accuracies) > 1 else None
    trainings = f"{len(measured.accuracies)} trainings" if len(measured.accuracies) > 1 else "1 training"
    return (
        f"{percent(measured.mean, spread)} {task.metric} ({trainings}) with {measured.nnz:,} non-zeros, "
        f"{measured.bytes:,} bytes and {measured.latency:.3f} ms"
    )


def _verdict(best: Measured, other: Measured) -> str:
    """Better, worse or within noise: the difference against twice its standard error."""
    difference = best.mean - other.mean
    if min(len(best.accuracies), len(other.accuracies)) < 2:
        return f"{difference * 100:+.2f} points for the winner, of single trainings: the noise is not known"
    error = math.sqrt(best.std**2 / len(best.accuracies) + other.std**2 / len(other.accuracies))
    points = f"{abs(difference) * 100:.2f} points"
    if abs(difference) <= 2 * error or difference == 0:
        return f"a difference of {points}, within the noise of the trainings"
    return f"the winner is {points} {'better' if difference > 0 else 'worse'}"
