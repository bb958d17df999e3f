"""The constant predictor: the mean measured accuracy. A predictor that is not better than this one is useless."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.predictor import Prediction
from predictors.state import check_training, number, require_fitted
from predictors.structure_graph import StructureGraph


class ConstantPredictor:
    """A predictor that gives every network the mean accuracy of the training networks, with their standard deviation."""

    name = "constant"

    def __init__(self) -> None:
        """Not fitted yet."""
        self._state: tuple[float, float, int] | None = None

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Remember mean and standard deviation; `seed` changes nothing."""
        targets = check_training(graphs, accuracies)
        self._state = (float(targets.mean()), float(targets.std(ddof=1)), len(targets))
        return self

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """The same answer for every graph."""
        mean, std, _ = require_fitted(self._state, self.name)
        return Prediction(np.full(len(graphs), mean), np.full(len(graphs), std))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """``mean``, ``std`` and ``training_graphs``, each ``()``."""
        mean, std, count = require_fitted(self._state, self.name)
        return {"mean": np.asarray(mean), "std": np.asarray(std), "training_graphs": np.asarray(count)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        predictor = cls()
        std = number(arrays, "std", low=0.0)
        predictor._state = (number(arrays, "mean"), std, int(number(arrays, "training_graphs", low=2)))
        return predictor
