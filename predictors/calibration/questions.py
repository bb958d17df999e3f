"""Calibration by kind of question: the errors differ between tasks, and between fresh weights, own weights and plans.

One width for all questions holds nine tenths on average and far from it in some places (Mondrian conformal prediction: Vovk et al.
2005, "Algorithmic Learning in a Random World", section 4.5). Networks of one task with one kind of origin are one kind of question.
A kind of which too few networks were left out is calibrated with all others.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.conformal import conformal
from predictors.errors import InvalidPredictorError
from predictors.state import array
from predictors.structure_graph import StructureGraph

Floats = NDArray[np.float64]

FEWEST = 60
"""Least number of left-out networks of a kind that is calibrated by itself."""
SHRINKAGE = 20.0
"""The mean error of a kind counts as if that many networks without error belonged to it too."""
LEAST_STD = 1e-9
QUESTIONS = "questions_"
"""Prefix of the names of the arrays."""


def kinds(graphs: Sequence[StructureGraph]) -> NDArray[np.int64]:
    """A number for the kind of question that every graph asks, int64 ``(graphs,)``."""
    return np.array([_kind(graph) for graph in graphs], np.int64).reshape(len(graphs))


def _kind(graph: StructureGraph) -> int:
    task = b"" if graph.task is None else np.asarray(graph.task, np.float64).tobytes()
    origin = graph.origin
    told = () if origin is None else (origin.accuracy_with, origin.nnz is not None, origin.method is not None)
    return int.from_bytes(hashlib.blake2b(task + repr(told).encode(), digest_size=8).digest(), "big") >> 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Questions:
    """How the predictions of every kind of question are corrected.

    Attributes:
        kinds: numbers of the kinds, int64 ``(kinds,)``, increasing.
        shift: mean error of each kind, which is subtracted, ``(kinds,)``.
        missed: standard deviation that is added to the stated one, ``(kinds,)``.
        width: number of stated standard deviations to either side that hold nine tenths, ``(kinds,)``.
    """

    kinds: NDArray[np.int64]
    shift: Floats
    missed: Floats
    width: Floats

    @classmethod
    def of(
        cls, asked: NDArray[np.int64], said: Floats, std: Floats, truth: Floats, low: float, high: float
    ) -> "Questions | None":
        """Learn from left-out networks; None if all of them ask one kind of question, or no kind is frequent.

        Args:
            asked: kind of question of every network ``(networks,)``.
            said, std: predictions with their standard deviations before this correction, accuracies or scores.
            truth: what was measured, on the same scale.
            low, high: range of the widths.
        """
        numbers, counts = np.unique(asked, return_counts=True)
        frequent = numbers[counts >= FEWEST]
        if len(numbers) < 2 or not len(frequent):
            return None
        table = []
        for kind in frequent:
            own = asked == kind
            table.append(_learnt(said[own], std[own], truth[own], (low, high)))
        shift, missed, width = np.array(table, np.float64).T
        return cls(kinds=frequent, shift=shift, missed=missed, width=width)

    def __call__(self, asked: NDArray[np.int64], missed: float, width: float) -> tuple[Floats, Floats, Floats]:
        """Shift, missed deviation and width for every question, each ``(questions,)``; kinds that are not known get the given ones."""
        place = np.minimum(np.searchsorted(self.kinds, asked), len(self.kinds) - 1)
        known = self.kinds[place] == asked
        return (
            np.where(known, self.shift[place], 0.0),
            np.where(known, self.missed[place], missed),
            np.where(known, self.width[place], width),
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields, each under ``questions_…``."""
        return {f"{QUESTIONS}{name}": np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Questions | None":
        """The correction among a predictor's arrays, if it has one."""
        if not any(name.startswith(QUESTIONS) for name in arrays):
            return None
        numbers = array(arrays, f"{QUESTIONS}kinds", "i", (None,)).astype(np.int64)  # type: ignore[arg-type]
        own = {
            name: array(arrays, f"{QUESTIONS}{name}", "f", numbers.shape).astype(np.float64)  # type: ignore[arg-type]
            for name in ("shift", "missed", "width")
        }
        if not len(numbers) or (np.diff(numbers) <= 0).any() or min(own["missed"].min(), own["width"].min()) < 0:
            raise InvalidPredictorError(
                "saved calibration is damaged: its kinds must increase, and no width is negative"
            )
        return cls(kinds=numbers, **own)


def _learnt(said: Floats, std: Floats, truth: Floats, limits: tuple[float, float]) -> tuple[float, float, float]:
    """Shift, missed deviation and width of one kind."""
    shift = float((said - truth).sum()) / (len(truth) + SHRINKAGE)
    error = said - shift - truth
    missed = max(float(np.mean(error**2 - std**2)), 0.0) ** 0.5
    stated = np.maximum(np.hypot(std, missed), LEAST_STD)
    return shift, missed, float(np.clip(conformal(np.abs(error) / stated), *limits))
