"""The trials of a search, read from ``trials.csv``, which a run writes after every round; their curves; and the front so far."""

import csv
import io
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from nas.service.data_folder import DataFolder, opened
from nas.study.learning_curves import LearningCurve, file_name, from_text

TEXTS = frozenset({"way", "digest", "error"})
LARGEST = 256 << 20
"""Largest size of a table of trials in bytes."""


def trials_of(folder: DataFolder, search: str) -> list[dict[str, Any]]:
    """All finished trials in order; empty before the first round has ended."""
    try:
        with opened(folder.artifact(search, "trials.csv")) as file:
            text = file.read(LARGEST).decode()
    except FileNotFoundError:
        return []
    return [_trial(row) for row in csv.DictReader(io.StringIO(text))]


def curve_of(folder: DataFolder, search: str, trial: Mapping[str, Any]) -> LearningCurve | None:
    """The learning curve of a finished trial; None if its training ended with an error, was looked up, or is of an older version."""
    try:
        with opened(folder.run(search) / file_name(int(trial["round"]))) as file:
            return from_text(file.read(LARGEST).decode()).get(int(trial["number"]))
    except (FileNotFoundError, ValueError):
        return None


def report_of(folder: DataFolder, search: str) -> dict[str, Any] | None:
    """The report of a search that is done; None before."""
    try:
        with opened(folder.artifact(search, "report.json")) as file:
            found: dict[str, Any] = json.loads(file.read(LARGEST))
    except FileNotFoundError:
        return None
    return found


def front_of(
    trials: Iterable[Mapping[str, Any]], objectives: Sequence[str], *, metric: str = "accuracy", goal: str = "maximize"
) -> list[dict[str, Any]]:
    """The candidates that no other one beats in all objectives, the best by the metric of the search first.

    Objectives are the texts of a request: costs have a minus sign, and ``accuracy`` stands for the metric of the search. The accuracy
    of a candidate is the mean over its trainings. `metric` and `goal` are name and direction of the metric.
    """
    least = {"accuracy", metric} if goal == "minimize" else set()
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for trial in trials:
        if trial["accuracy"] is not None:
            groups.setdefault(str(trial["digest"]), []).append(trial)
    rows = [_candidate(digest, group) for digest, group in groups.items()]
    values = [[_value(row, objective, least) for objective in objectives] for row in rows]
    kept = [row for row, mine in zip(rows, values, strict=True) if not any(_beats(other, mine) for other in values)]
    return sorted(kept, key=lambda row: row["accuracy"] if least else -row["accuracy"])


def _candidate(digest: str, group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The columns of the first training of a candidate, with its mean accuracy."""
    mean = math.fsum(float(trial["accuracy"]) for trial in group) / len(group)
    skipped = ("accuracy", "score", "score_std", "error", "repeat", "seconds", "seed", "round", "train_accuracy")
    costs = {name: value for name, value in group[0].items() if name not in skipped}
    return {"digest": digest, "accuracy": mean, "trainings": len(group)} | costs


def _value(row: Mapping[str, Any], objective: str, least: Collection[str]) -> float:
    """The value of an objective, the larger the better; the names in `least` are better if they are small, also without a sign."""
    text = objective.strip()
    name = text.lstrip("+-")
    found = row.get(name, row["accuracy"])
    return (-1.0 if text.startswith("-") or name in least else 1.0) * (-math.inf if found is None else float(found))


def _beats(other: Sequence[float], mine: Sequence[float]) -> bool:
    return all(a >= b for a, b in zip(other, mine, strict=True)) and any(
        a > b for a, b in zip(other, mine, strict=True)
    )


def _trial(row: Mapping[str, str]) -> dict[str, Any]:
    return {name: _cell(name, value) for name, value in row.items()}


def _cell(name: str, text: str) -> Any:
    """The value of a cell: a text, a JSON value, or a number; None if it is empty."""
    if name in TEXTS:
        return text
    if not text:
        return None
    if name == "candidate":
        return json.loads(text)
    value = float(text)
    if not math.isfinite(value):
        return None
    return int(text) if text.lstrip("-").isdecimal() else value
