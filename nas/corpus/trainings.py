"""Trains networks of the corpus as a population and measures each on the validation and the test split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import onnx_ir as ir

from nas.errors import TrainingError
from nas.tasks.task import Task
from nas.training.options import TrainingOptions

DIGITS = 6
"""Digits of a stored metric after the point."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """One training.

    Attributes:
        trained: the network with its trained weights.
        validation, test: the task's metric on either split.
    """

    trained: ir.Model
    validation: float
    test: float


def train_all(
    models: Sequence[ir.Model],
    task: Task,
    options: TrainingOptions,
    *,
    seeds: Sequence[int],
    method: str = "static",
    density: Sequence[float] | None = None,
) -> list[Outcome | None]:
    """One outcome for every model; None where the training diverged. Other errors are raised."""
    from nas.training.population import train_population
    from nas.training.single import evaluate
    from nas.training.trained import apply_result

    if not models:
        return []
    found: list[Outcome | None] = []
    results = train_population(models, task, options, seeds=seeds, method=method, density=density)
    for model, result in zip(models, results, strict=True):
        if isinstance(result, TrainingError):
            found.append(None)
        elif isinstance(result, Exception):
            raise result
        else:
            trained = apply_result(model, result)
            test = round(evaluate(trained, task, task.test), DIGITS)
            found.append(Outcome(trained=trained, validation=round(result.accuracy, DIGITS), test=test))
    return found


def train_again(
    models: Sequence[ir.Model], task: Task, options: TrainingOptions, seeds: Sequence[Sequence[int]]
) -> list[list[Outcome | None]]:
    """Train every model with its own mask once for each of its seeds, all as one population; the outcomes of every model in order."""
    jobs = [(position, seed) for position, own in enumerate(seeds) for seed in own]
    outcomes = train_all([models[position] for position, _ in jobs], task, options, seeds=[seed for _, seed in jobs])
    found: list[list[Outcome | None]] = [[] for _ in models]
    for (position, _), outcome in zip(jobs, outcomes, strict=True):
        found[position].append(outcome)
    return found


class Metrics(TypedDict):
    """The metric of every training of a network on either split; None where it diverged."""

    validation: tuple[float | None, ...]
    test: tuple[float | None, ...]


def metrics(outcomes: Sequence[Outcome | None]) -> Metrics:
    """The metrics of the trainings of one network, in order."""
    return {
        "validation": tuple(None if one is None else one.validation for one in outcomes),
        "test": tuple(None if one is None else one.test for one in outcomes),
    }
