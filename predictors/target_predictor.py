"""What the predictors that learn by regression share: accuracies are put on the scale of `predictors.target`, and taken back."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from predictors.predictor import Prediction
from predictors.state import check_training
from predictors.structure_graph import StructureGraph
from predictors.target import from_target, to_target


class Scores(NamedTuple):
    """What a regression says on the scale of its targets: mean and standard deviation, each ``(networks,)``."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


class TargetPredictor(ABC):
    """A regression of targets, which an ensemble may choose on a scale of its own, and so a predictor of accuracies."""

    name: ClassVar[str]

    @abstractmethod
    def fit_targets(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from targets ``(networks,)`` of at least two networks."""

    @abstractmethod
    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Mean and standard deviation; `NotFittedError` before the fit."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fitted state."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from measured accuracies ``(networks,)`` in [0, 1]; one seed, one predictor."""
        return self.fit_targets(graphs, to_target(check_training(graphs, accuracies)), seed=seed)

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Mean and standard deviation of the accuracy of every graph."""
        return from_target(*self.predict_targets(graphs))
