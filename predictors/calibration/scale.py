"""Scales on which targets are learnt: monotone, invertible maps of the targets, extended beyond their knots.

Normal scores of ranks (rank-based inverse normal transformation) spread the networks of one task evenly, however narrow the range of
their accuracies is; a ranking needs that. Plain accuracies are better where they are noisy. For networks of several tasks, whose ranks
mean different things, only the scale of `predictors.calibration.target` is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from predictors.calibration.target import HIGHEST, LOWEST, accuracy_of
from predictors.errors import InvalidPredictorError
from predictors.state import array, number
from predictors.structure_graph import StructureGraph

Floats = NDArray[np.float64]

MOST_KNOTS = 256
SCALE = "scale_"
"""Prefix of the names of a scale's arrays."""


@dataclass(frozen=True, eq=False)
class Scale:
    """A piecewise linear, increasing map from targets to scores.

    Attributes:
        targets: knots, targets of `predictors.calibration.target`, float64 ``(knots,)``, increasing.
        scores: their scores, ``(knots,)``, increasing.
        slope: scores per unit of target beyond the outermost knots, > 0.
    """

    targets: Floats
    scores: Floats
    slope: float

    def __post_init__(self) -> None:
        """Refuse knots that are not in order."""
        ordered = bool((np.diff(self.targets) > 0).all() and (np.diff(self.scores) > 0).all())
        if (
            self.targets.shape != self.scores.shape
            or not len(self.targets)
            or not ordered
            or not 1e-9 < self.slope < 1e9
        ):
            raise InvalidPredictorError("saved scale is damaged: its knots must increase")

    @classmethod
    def of_ranks(cls, targets: Floats) -> "Scale":
        """Normal scores of the ranks of these targets; equal ones share their mean rank."""
        from scipy.stats import rankdata  # slow to import, and not needed to predict

        knots, first = np.unique(targets, return_index=True)
        scores = ndtri((rankdata(targets) - 0.5) / len(targets))[first]
        if len(knots) > MOST_KNOTS:
            kept = np.unique(np.linspace(0, len(knots) - 1, MOST_KNOTS).round().astype(np.int64))
            knots, scores = knots[kept], scores[kept]
        spread = float(targets.std())
        return cls(knots, scores, 1.0 / spread if spread > 1e-6 else 1.0)

    @classmethod
    def of_accuracies(cls) -> "Scale":
        """Accuracies as scores, to 1e-4."""
        knots = np.linspace(LOWEST, HIGHEST, MOST_KNOTS)
        return cls(knots, accuracy_of(knots), 1.0)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Scale | None":
        """The scale among a predictor's arrays, if it has one."""
        if not any(name.startswith(SCALE) for name in arrays):
            return None
        targets = array(arrays, f"{SCALE}targets", "f", (None,)).astype(np.float64)
        scores = array(arrays, f"{SCALE}scores", "f", targets.shape).astype(np.float64)
        return cls(targets, scores, number(arrays, f"{SCALE}slope"))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields, each after ``scale_``."""
        return {f"{SCALE}{name}": np.asarray(value) for name, value in vars(self).items()}

    def forward(self, targets: Floats) -> Floats:
        """Targets as scores."""
        return _extended(targets, self.targets, self.scores, self.slope)

    def backward(self, scores: Floats) -> Floats:
        """Scores as targets, limited to the targets of accuracies in [0, 1]."""
        return np.clip(_extended(scores, self.scores, self.targets, 1.0 / self.slope), LOWEST, HIGHEST)


def scores_at(targets: Floats, scale: Scale | None) -> Floats:
    """Targets as scores on a scale; None is the scale of the targets themselves."""
    return targets if scale is None else scale.forward(targets)


def accuracies_at(scores: Floats, scale: Scale | None) -> Floats:
    """Scores on a scale as accuracies; None is the scale of `predictors.calibration.target`."""
    return accuracy_of(scores if scale is None else scale.backward(scores))


def of_several_tasks(graphs: Sequence[StructureGraph]) -> bool:
    """Whether the networks are for different tasks; networks that do not state their task count as one task."""
    return len({tuple(graph.task) for graph in graphs if graph.task is not None}) > 1


def _extended(values: Floats, places: Floats, heights: Floats, slope: float) -> Floats:
    inside = np.interp(values, places, heights)
    below, above = np.minimum(values - places[0], 0.0), np.maximum(values - places[-1], 0.0)
    return np.asarray(inside + slope * (below + above))
