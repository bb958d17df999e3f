"""Linear model and forest together: their errors differ, so their mean ranks better than either.

The line sees trends through few networks and the trees see thresholds through many.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidPredictorError
from predictors.forest import ForestOptions, ForestPredictor
from predictors.linear import LinearPredictor
from predictors.predictor import Prediction
from predictors.structure_graph import StructureGraph

TREES = ForestOptions(trees=100)
"""Half the forest's own: the line steadies the mean, and a search fits anew every round."""

SEPARATOR = "/"
"""Between a member's name and the name of its array."""


class EnsemblePredictor:
    """Mean of the members; the std joins theirs and their disagreement."""

    name = "ensemble"

    def __init__(self) -> None:
        """Not fitted yet."""
        self._members: tuple[LinearPredictor | ForestPredictor, ...] = (LinearPredictor(), ForestPredictor(TREES))

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Fit every member on all networks."""
        for member in self._members:
            member.fit(graphs, accuracies, seed=seed)
        return self

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Mean of the members' means; variance: the members' mean variance plus the variance of their means."""
        said = [member.predict(graphs) for member in self._members]
        means = np.stack([prediction.mean for prediction in said])
        variances = np.stack([prediction.std**2 for prediction in said])
        return Prediction(means.mean(axis=0), np.sqrt(variances.mean(axis=0) + means.var(axis=0)))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The members' arrays, each under ``member/array``."""
        return {
            f"{member.name}{SEPARATOR}{name}": value
            for member in self._members
            for name, value in member.arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        predictor = cls()
        parts: dict[str, dict[str, NDArray[np.generic]]] = {member.name: {} for member in predictor._members}
        for key, value in arrays.items():
            member, _, name = key.partition(SEPARATOR)
            if member not in parts:
                raise InvalidPredictorError(f"saved ensemble holds array {key!r}, of no member: {', '.join(parts)}")
            parts[member][name] = value
        predictor._members = tuple(type(member).from_arrays(parts[member.name]) for member in predictor._members)
        return predictor
