"""Objectives: what a search makes large or small, `accuracy` or `-nnz`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas.errors import UsageError
from nas.measure.metrics import COSTS
from nas.names import require


@dataclass(frozen=True)
class Objective:
    """One objective.

    Attributes:
        name: ``accuracy`` or the name of a cost.
        direction: ``maximize`` or ``minimize`` (Optuna's words).
    """

    name: str
    direction: Literal["maximize", "minimize"]

    def __str__(self) -> str:
        """As written on the command line."""
        return self.name if self.direction == "maximize" else f"-{self.name}"

    @property
    def sign(self) -> float:
        """What a value is multiplied with so that larger is better."""
        return 1.0 if self.direction == "maximize" else -1.0


def parse(texts: Sequence[str]) -> tuple[Objective, ...]:
    """Read ``accuracy``, ``-nnz``, …; a minus sign means "the less the better". `accuracy` must be among them."""
    objectives = []
    for text in texts:
        name = require("objective", text.strip().lstrip("+-"), ("accuracy", *COSTS))
        minimize = text.strip().startswith("-")
        if minimize == (name == "accuracy"):
            raise UsageError(
                f"objective {text!r} asks for {'the worst accuracy' if minimize else f'the most {name}'}; write "
                f"{'accuracy' if minimize else f'-{name}'!r}"
            )
        objectives.append(Objective(name, "minimize" if minimize else "maximize"))
    names = [objective.name for objective in objectives]
    if "accuracy" not in names:
        raise UsageError(f"the objectives must contain accuracy, got {', '.join(texts) or 'none'}")
    if len(set(names)) < len(names):
        raise UsageError(f"an objective is named twice: {', '.join(texts)}")
    return tuple(objectives)


def values(objectives: Sequence[Objective], accuracy: float, metrics: Mapping[str, float]) -> list[float]:
    """A trial's values, one per objective, in its own unit and direction."""
    return [accuracy if objective.name == "accuracy" else float(metrics[objective.name]) for objective in objectives]


def losses(objectives: Sequence[Objective], rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Values ``(trials, objectives)`` with the sign turned so that less is better everywhere."""
    table = np.asarray(rows, dtype=np.float64).reshape(len(rows), len(objectives))
    signs = np.array([objective.sign for objective in objectives])
    return np.asarray(-table * signs, dtype=np.float64)


def non_dominated(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows ``(trials, objectives)`` no other row beats: no worse in every objective and better in one."""
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
