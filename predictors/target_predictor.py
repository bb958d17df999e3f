"""What the predictors that learn by regression share: accuracies are put on the scale of `predictors.target`, and taken back.

Where a predictor knows what it would have said of networks that it did not see, that tells two more things: of several scales
(`predictors.scale`) the one on which it ranks best, and which accuracy a score means on average (`predictors.calibration`), for the
middle of a bent scale is no mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration import CURVE, FEWEST, Curve
from predictors.predictor import Prediction
from predictors.ranking import spearman
from predictors.scale import SCALE, Scale, accuracies_at, of_several_tasks
from predictors.state import check_training
from predictors.structure_graph import StructureGraph
from predictors.target import to_target


class Scores(NamedTuple):
    """What a regression says on the scale of its targets: mean and standard deviation, each ``(networks,)``."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


class TargetPredictor(ABC):
    """A regression of targets, which an ensemble may choose on a scale of its own, and so a predictor of accuracies."""

    name: ClassVar[str]
    _scale: Scale | None = None
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
        self._scale = self._curve = None
        self._learn(graphs, targets, seed)
        return self

    def fit_left_out(
        self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], *, seed: int = 0
    ) -> NDArray[np.float64]:
        """As `fit_targets`; what would be said of every network had it been left out ``(networks,)``, NaN where that is unknown."""
        self._scale = self._curve = None
        return self._learn_left_out(graphs, targets, seed)

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from measured accuracies ``(networks,)`` in [0, 1]; one seed, one predictor."""
        measured = check_training(graphs, accuracies)
        targets = to_target(measured)
        scales = self._scales(graphs, targets, seed) if len(targets) >= FEWEST else [None]
        fits = [(self.fit_left_out(graphs, _scores(targets, scale), seed=seed), scale) for scale in scales]
        left_out, scale = max(fits, key=lambda fit: _agreement(fit[0], measured))
        if scale is not scales[-1]:
            self.fit_targets(graphs, _scores(targets, scale), seed=seed)
        self._scale = scale
        known = np.isfinite(left_out)
        if known.sum() >= FEWEST:
            self._curve = Curve.of(left_out[known], measured[known])
        return self

    def _scales(
        self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int
    ) -> Sequence[Scale | None]:
        """Scales to choose from; None is that of the targets themselves."""
        return [None]

    @property
    def scale(self) -> Scale | None:
        """That on which `fit` learnt; None is that of `predictors.target`."""
        return self._scale

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Mean and standard deviation of the accuracy of every graph."""
        mean, std = self.predict_targets(graphs)
        low, middle, high = (self._accuracies(mean + side * std) for side in (-1, 0, 1))
        if self._curve is not None:
            middle = self._curve(mean, self._accuracies)
        return Prediction(middle, (high - low) / 2)

    def _accuracies(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return accuracies_at(scores, self._scale)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fitted regression, and the fields of its `Scale` and `Curve` after ``scale_`` and ``curve_``."""
        parts = (part for part in (self._scale, self._curve) if part is not None)
        return self._state() | {name: value for part in parts for name, value in part.arrays().items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        own = {name: value for name, value in arrays.items() if not name.startswith((SCALE, CURVE))}
        predictor = cls._from_state(own)
        predictor._scale, predictor._curve = Scale.from_arrays(arrays), Curve.from_arrays(arrays)
        return predictor


def every_scale(graphs: Sequence[StructureGraph], targets: NDArray[np.float64]) -> Sequence[Scale | None]:
    """That of the targets, for networks of one task also accuracies and ranks."""
    return [None] if of_several_tasks(graphs) else [None, Scale.of_accuracies(), Scale.of_ranks(targets)]


def _scores(targets: NDArray[np.float64], scale: Scale | None) -> NDArray[np.float64]:
    return targets if scale is None else scale.forward(targets)


def _agreement(said: NDArray[np.float64], measured: NDArray[np.float64]) -> float:
    """Spearman's ρ of what was said of left-out networks."""
    known = np.isfinite(said)
    return spearman(measured[known], said[known])
