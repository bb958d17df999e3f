"""The base of predictors that are regressions: accuracies become targets (`predictors.calibration.target`), and predictions accuracies.

Predictions for left-out networks, where a predictor has them, decide three more things: the scale on which it ranks best
(`predictors.calibration.scale`); the mean accuracy that a score stands for (`predictors.calibration.conformal`), because the mean of
accuracies is not the accuracy of the mean target; and the interval: how much larger than the predictor's own std the errors are, and
how many standard deviations to either side contain nine tenths of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.conformal import CURVE, FEWEST, FEWEST_BINS, IN_A_BIN, Curve, conformal
from predictors.calibration.questions import QUESTIONS, Questions, kinds
from predictors.calibration.ranking import spearman
from predictors.calibration.scale import SCALE, Scale, accuracies_at, of_several_tasks, scores_at
from predictors.calibration.target import to_target
from predictors.predictor import NORMAL_90, Prediction
from predictors.state import check_training, number
from predictors.structure_graph import StructureGraph

MISSED, WIDTH = "missed", "width"
MOST_STD = 0.5
"""Largest standard deviation of numbers between 0 and 1."""
MOST_WIDTH = 4.0
"""Largest number of standard deviations of an interval of one kind of question."""
LEAST_WIDTH, LEAST_STD = 0.25, 1e-9
"""Accuracies that differ by less count as equal, so that rounding decides nothing."""


class Scores(NamedTuple):
    """Prediction of a regression on the scale of its targets: mean and standard deviation, each ``(networks,)``."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


class TargetPredictor(ABC):
    """A regression of targets, and so a predictor of accuracies; an ensemble may fit it on a scale of the ensemble's own."""

    name: ClassVar[str]
    _scale: Scale | None = None
    _curve: Curve | None = None
    _missed: float = 0.0
    """Standard deviation of accuracies that is added to the regression's own."""
    _width: float = NORMAL_90
    """Number of standard deviations that the interval extends to either side."""
    _questions: Questions | None = None
    """Corrections for kinds of questions, where there are several."""

    @abstractmethod
    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Mean and standard deviation; `NotFittedError` before the fit."""

    @abstractmethod
    def _learn(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> None:
        """Fit the regression."""

    def _learn_left_out(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> Scores:
        """Like `_learn`, but return the left-out predictions for `fit_left_out`."""
        self._learn(graphs, targets, seed)
        return Scores(*np.full((2, len(targets)), np.nan))

    @abstractmethod
    def _state(self) -> dict[str, NDArray[np.generic]]:
        """The fitted regression."""

    @classmethod
    @abstractmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor with the regression that `_state` gave."""

    def fit_targets(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from targets ``(networks,)`` of at least two networks; the same seed gives the same predictor."""
        self._forget()
        self._learn(graphs, targets, seed)
        return self

    def fit_left_out(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], *, seed: int = 0) -> Scores:
        """Like `fit_targets`, but return the left-out prediction for every network, NaN if it is unknown."""
        self._forget()
        return self._learn_left_out(graphs, targets, seed)

    def _forget(self) -> None:
        self._scale, self._curve, self._missed, self._width, self._questions = None, None, 0.0, NORMAL_90, None

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from measured accuracies ``(networks,)`` in [0, 1]; the same seed gives the same predictor."""
        measured = check_training(graphs, accuracies)
        targets = to_target(measured)
        if len(targets) < FEWEST:
            return self.fit_targets(graphs, targets, seed=seed)
        # Fitted on copies, so that an interrupted fit leaves this predictor as it was.
        tried = [self._tried(graphs, targets, scale, seed) for scale in self._candidates(graphs, targets, seed)]
        best, left_out = max(tried, key=lambda one: _agreement(one[1].mean, measured))
        best._calibrate(left_out, measured, kinds(graphs))
        vars(self).update(vars(best))
        return self

    def _candidates(
        self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int
    ) -> Sequence[Scale | None]:
        """Scales to choose from; None is the scale of the targets themselves."""
        return [None]

    def _tried(
        self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], scale: Scale | None, seed: int
    ) -> tuple[Self, Scores]:
        """Another such predictor, fitted on a scale."""
        fresh = copy(self)
        left_out = fresh.fit_left_out(graphs, scores_at(targets, scale), seed=seed)
        fresh._scale = scale
        return fresh, left_out

    def _calibrate(self, left_out: Scores, measured: NDArray[np.float64], asked: NDArray[np.int64]) -> None:
        """Learn the mean accuracy that each score stands for, and how much of the errors the predicted std misses.

        Args:
            left_out: predictions for left-out networks; NaN where there is none.
            measured: measured accuracies ``(networks,)``.
            asked: kind of question of every network ``(networks,)``.
        """
        known = np.isfinite(left_out.mean)
        if known.sum() < FEWEST:
            return
        said, truth = Scores(left_out.mean[known], left_out.std[known]), measured[known]
        if len(truth) >= FEWEST_BINS * IN_A_BIN:
            self._curve = Curve.of(said.mean, truth)
        found = self._prediction(said)
        unsaid = float(np.mean((found.mean - truth) ** 2 - found.std**2))
        self._missed = max(unsaid, 0.0) ** 0.5
        # At most the width of a normal distribution: a few networks with errors but a std of 0 would make all intervals endless.
        in_std = np.abs(found.mean - truth) / np.maximum(self._prediction(said).std, LEAST_STD)
        self._width = float(np.clip(conformal(in_std), LEAST_WIDTH, NORMAL_90))
        self._questions = Questions.of(asked[known], found.mean, found.std, truth, LEAST_WIDTH, MOST_WIDTH)

    @property
    def scale(self) -> Scale | None:
        """The scale on which `fit` learnt; None is the scale of `predictors.calibration.target`."""
        return self._scale

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Mean and standard deviation of the accuracy of every graph."""
        return self._prediction(self.predict_targets(graphs), kinds(graphs))

    def _prediction(self, scores: Scores, asked: NDArray[np.int64] | None = None) -> Prediction:
        mean, std = scores
        low, middle, high = (self._accuracies(mean + side * std) for side in (-1, 0, 1))
        if self._curve is not None:
            middle = self._curve(mean, self._accuracies)
        shift: NDArray[np.float64] | float = 0.0
        missed: NDArray[np.float64] | float = self._missed
        width: NDArray[np.float64] | float = self._width
        if self._questions is not None and asked is not None:
            shift, missed, width = self._questions(asked, self._missed, self._width)
            middle = np.clip(middle - shift, 0.0, 1.0)
        stated = np.minimum(np.hypot((high - low) / 2, missed), MOST_STD)
        low, high = (np.clip(middle + side * width * stated, 0.0, 1.0) for side in (-1, 1))
        return Prediction(middle, stated, low, high)

    def _accuracies(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return accuracies_at(scores, self._scale)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fitted regression; the fields of its `Scale`, `Curve` and `Questions` after ``scale_``, ``curve_`` and ``questions_``;
        ``missed`` and ``width`` ``()``."""
        parts = (part for part in (self._scale, self._curve, self._questions) if part is not None)
        found = self._state() | {name: value for part in parts for name, value in part.arrays().items()}
        return found | {MISSED: np.asarray(self._missed), WIDTH: np.asarray(self._width)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        others = {name for name in arrays if name.startswith((SCALE, CURVE, QUESTIONS)) or name in (MISSED, WIDTH)}
        own = {name: value for name, value in arrays.items() if name not in others}
        predictor = cls._from_state(own)
        predictor._scale, predictor._curve = Scale.from_arrays(arrays), Curve.from_arrays(arrays)
        predictor._questions = Questions.from_arrays(arrays)
        predictor._missed = number(arrays, MISSED, low=0.0) if MISSED in arrays else 0.0
        predictor._width = min(number(arrays, WIDTH, low=LEAST_WIDTH), NORMAL_90) if WIDTH in arrays else NORMAL_90
        return predictor


def every_scale(graphs: Sequence[StructureGraph], targets: NDArray[np.float64]) -> Sequence[Scale | None]:
    """The scale of the targets; for networks of one task, also the scales of accuracies and ranks."""
    return [None] if of_several_tasks(graphs) else [None, Scale.of_accuracies(), Scale.of_ranks(targets)]


def _agreement(said: NDArray[np.float64], measured: NDArray[np.float64]) -> float:
    """Spearman's ρ of the left-out predictions."""
    known = np.isfinite(said)
    return spearman(measured[known], said[known])
