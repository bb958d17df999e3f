"""Learning curves of the trials of a run: losses and metrics by epoch, as one JSON file for each round.

They stand beside the journal, which stays small that way. A round that is trained again after a kill writes the same file again.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

VERSION = 1
FOLDER = "curves"
DIGITS = 6
"""Significant digits of a number in the file."""


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """What one training reached after each of its epochs. A number that is not finite is None.

    Attributes:
        losses: mean training loss of each epoch, over all phases of the training.
        accuracies: metric of the search on the validation split, after each epoch.
    """

    losses: tuple[float | None, ...]
    accuracies: tuple[float | None, ...]

    @classmethod
    def of(cls, losses: Sequence[float], accuracies: Sequence[float]) -> Self:
        """The curve of a training, rounded as in the file."""
        return cls(losses=tuple(map(_rounded, losses)), accuracies=tuple(map(_rounded, accuracies)))


def file_name(round_: int) -> str:
    """Path of the file of a round, below the run folder."""
    return f"{FOLDER}/round-{round_}.json"


def to_text(curves: Mapping[int, LearningCurve]) -> str:
    """The file of a round; `curves` are named by the numbers of their trials."""
    trials = {str(number): {"losses": curve.losses, "accuracies": curve.accuracies} for number, curve in curves.items()}
    return json.dumps({"version": VERSION, "trials": trials}, allow_nan=False)


def from_text(text: str) -> dict[int, LearningCurve]:
    """The curves of a file by the numbers of their trials; `ValueError` if the file is damaged or of another version."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ValueError(f"learning curves of version {data['version']!r}; this package reads version {VERSION}")
        return {
            int(number): LearningCurve(losses=tuple(one["losses"]), accuracies=tuple(one["accuracies"]))
            for number, one in data["trials"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("this is no file of learning curves") from error


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
