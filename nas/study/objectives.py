"""Objectives: the values that a search maximizes or minimizes, such as `accuracy` or `-nnz`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas.errors import UsageError
from nas.metrics import METRICS, Metric
from nas.study.vocabulary import is_cost, quantity, quantity_names
from onnx_graph import require_name

ACCURACY = "accuracy"
"""Objective name that stands for the metric of the task."""


@dataclass(frozen=True)
class Objective:
    """One objective.

    Attributes:
        name: name of a metric or a cost.
        direction: ``maximize`` or ``minimize`` (Optuna's words).
        main: the metric of the search, which trainings measure and the predictor predicts, if this objective is that metric.
    """

    name: str
    direction: Literal["maximize", "minimize"]
    main: Metric | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """The objective as on the command line."""
        return self.name if self.direction == "maximize" else f"-{self.name}"

    @property
    def sign(self) -> float:
        """Factor 1 or -1 that makes larger values better."""
        return 1.0 if self.direction == "maximize" else -1.0

    @property
    def known_before_training(self) -> bool:
        """Whether an untrained network has a value: the objective is a cost, or it is predicted."""
        return self.main is not None or is_cost(self.name)


def main_metric(texts: Sequence[str], of_task: str) -> str:
    """Name of the metric of a search: the metric of the task, or else the first metric in the objectives."""
    named = [_name(text) for text in texts]
    if ACCURACY in named or of_task in named:
        return of_task
    return next((name for name in named if name in METRICS), of_task)


def parse(texts: Sequence[str], metric: str = ACCURACY) -> tuple[Objective, ...]:
    """Read ``accuracy``, ``-nnz``, …; a minus sign means "the less the better".

    Args:
        texts: objectives; one of them must be the metric of the search, or `accuracy`, which stands for it.
        metric: name of the metric of the search.

    Raises:
        UsageError: an unknown name, the wrong direction (such as the least accuracy), or no metric.
    """
    main = METRICS.load(metric)
    objectives = tuple(_parse_one(text, main) for text in texts)
    names = [objective.name for objective in objectives]
    if not any(objective.main for objective in objectives):
        raise UsageError(f"the objectives must contain accuracy or another metric, got {', '.join(texts) or 'none'}")
    if len(set(names)) < len(names) or sum(objective.main is not None for objective in objectives) > 1:
        raise UsageError(f"an objective is named twice: {', '.join(texts)}")
    return objectives


def _parse_one(text: str, main: Metric) -> Objective:
    name = require_name("objective", _name(text), quantity_names(), UsageError)
    minimize = text.strip().startswith("-")
    found = main if name == ACCURACY else quantity(name)
    if name == ACCURACY and main.name != ACCURACY and not minimize:
        return Objective(main.name, main.direction, main)
    if minimize == (found.direction == "maximize"):
        asked = f"{'the worst' if isinstance(found, Metric) else 'the least' if minimize else 'the most'} {name}"
        raise UsageError(f"objective {text!r} asks for {asked}; write {name if minimize else f'-{name}'!r}")
    return Objective(name, found.direction, main if found == main else None)


def _name(text: str) -> str:
    return text.strip().lstrip("+-")


def main_of(objectives: Sequence[Objective]) -> Metric:
    """The metric of the search."""
    return next((objective.main for objective in objectives if objective.main), None) or METRICS.load(ACCURACY)


def values(objectives: Sequence[Objective], accuracy: float, metrics: Mapping[str, float]) -> list[float]:
    """The values of a trial, each in the unit and direction of its objective; `accuracy` is the metric of the search."""
    return [
        accuracy if objective.main or objective.name == ACCURACY else float(metrics[objective.name])
        for objective in objectives
    ]


def losses(objectives: Sequence[Objective], rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Values ``(trials, objectives)`` with signs such that less is always better."""
    table = np.asarray(rows, dtype=np.float64).reshape(len(rows), len(objectives))
    signs = np.array([objective.sign for objective in objectives])
    return np.asarray(-table * signs, dtype=np.float64)


def non_dominated(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Marks the rows ``(trials, objectives)`` that no other row dominates (not worse in any objective, better in one)."""
    no_worse = (losses[:, None, :] <= losses[None, :, :]).all(axis=2)
    better = (losses[:, None, :] < losses[None, :, :]).any(axis=2)
    return np.asarray(~(no_worse & better).any(axis=0), dtype=np.bool_)


def fronts(losses: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank of every row in non-dominated sorting (Deb et al. 2002), 0 = best."""
    ranks = np.full(len(losses), -1, dtype=np.int64)
    rank = 0
    while (ranks < 0).any():
        rest = np.flatnonzero(ranks < 0)
        ranks[rest[non_dominated(losses[rest])]] = rank
        rank += 1
    return ranks
