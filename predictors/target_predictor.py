"""What the predictors that learn by regression share: accuracies are put on the scale of `predictors.target`, and taken back.

A target that is predicted is taken back to the mean accuracy of networks of which so much was said while they were left out
(`predictors.calibration`), where a predictor knows what it would have said of them: the middle of a bent scale is no mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration import CURVE, FEWEST, Curve
from predictors.predictor import Prediction
from predictors.state import check_training
from predictors.structure_graph import StructureGraph
from predictors.target import accuracy_of, std_at, to_target


class Scores(NamedTuple):
    """What a regression says on the scale of its targets: mean and standard deviation, each ``(networks,)``."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


class TargetPredictor(ABC):
    """A regression of targets, which an ensemble may choose on a scale of its own, and so a predictor of accuracies."""

    name: ClassVar[str]
    _curve: Curve | None = None

    @abstractmethod
    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Mean and standard deviation; `NotFittedError` before the fit."""

    @abstractmethod
    def _learn(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> None:
        """Fit the regression."""

    def _learn_left_out(
        self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int
    ) -> NDArray[np.float64]:
        """As `_learn`, with what `fit_left_out` returns."""
        self._learn(graphs, targets, seed)
        return np.full(len(targets), np.nan)

    @abstractmethod
    def _state(self) -> dict[str, NDArray[np.generic]]:
        """The fitted regression."""

    @classmethod
    @abstractmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor with the regression that `_state` gave."""

    def fit_targets(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from targets ``(networks,)`` of at least two networks; one seed, one predictor."""
        self._curve = None
        self._learn(graphs, targets, seed)
        return self

    def fit_left_out(
        self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], *, seed: int = 0
    ) -> NDArray[np.float64]:
        """As `fit_targets`; what would be said of every network had it been left out ``(networks,)``, NaN where that is unknown."""
        self._curve = None
        return self._learn_left_out(graphs, targets, seed)

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from measured accuracies ``(networks,)`` in [0, 1]; one seed, one predictor."""
        measured = check_training(graphs, accuracies)
        left_out = self.fit_left_out(graphs, to_target(measured), seed=seed)
        known = np.isfinite(left_out)
        if known.sum() >= FEWEST:
            self._curve = Curve.of(left_out[known], measured[known])
        return self

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Mean and standard deviation of the accuracy of every graph."""
        mean, std = self.predict_targets(graphs)
        middle = accuracy_of(mean) if self._curve is None else self._curve(mean, accuracy_of)
        return Prediction(middle, std_at(middle, std))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fitted regression, and the fields of its `Curve` after ``curve_``."""
        return {**self._state(), **({} if self._curve is None else self._curve.arrays())}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        predictor = cls._from_state({name: value for name, value in arrays.items() if not name.startswith(CURVE)})
        predictor._curve = Curve.from_arrays(arrays)
        return predictor
