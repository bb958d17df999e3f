"""A straight line on whole-graph and pooled node features, most of which it leaves out: an elastic net.

Features are standardised; networks left out in turn choose the strength of the penalty (Zou and Hastie 2005, whose share of
absolute weights is fixed here) and say which accuracy a predicted target means on average. The std is that of a new measurement
of the Bayesian linear model (posterior of the weights plus noise): it grows with the distance from the training networks. For
the mean, features are held to the training range widened by one standard deviation: a straight line says nothing far outside.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration import Curve
from predictors.features import matrix, matrix_width
from predictors.predictor import Prediction
from predictors.state import array, check_training, number, require_fitted
from predictors.structure_graph import StructureGraph
from predictors.target import accuracy_of, from_target, to_target
from predictors.target_predictor import Scores, TargetPredictor
from predictors.threads import one_thread

Floats = NDArray[np.float64]

STRENGTHS = np.geomspace(1e-2, 1e5, 36)
"""Of the Bayesian linear model."""
PENALTIES = np.geomspace(1.0, 1e-2, 30)
"""Of the elastic net, as shares of the smallest that leaves every feature out."""
ABSOLUTE = 0.1
"""Share of the penalty on absolute weights, the rest being on squared ones: measured better than 0, .5 and 1 (networks of the
corpus, 30 to 500 labels)."""
FOLDS = 5
FEWEST = 10
"""Networks below which the left-out ones are too few to tell what a target means on average."""
WIDENED = 1.0  # standard deviations


@dataclass(frozen=True, eq=False, kw_only=True)
class Line:
    """A fitted line.

    Attributes:
        centre, spread: of the features, float64 ``(features,)``; spread 0 marks a feature that never varied, and is not used.
        low, high: range of the standardised training features, ``(features,)``.
        weights: on standardised features, ``(features,)``; many are 0.
        directions: orthonormal, ``(rank, features)``: where the training networks vary.
        singular: how much, ``(rank,)``.
        strength: of the Bayesian linear model's penalty, > 0.
        intercept: mean target.
        noise: standard deviation of one measurement, on the target scale.
        training_graphs: how many networks it was fitted on.
    """

    centre: Floats
    spread: Floats
    low: Floats
    high: Floats
    weights: Floats
    directions: Floats
    singular: Floats
    strength: float
    intercept: float
    noise: float
    training_graphs: int


class LinearPredictor(TargetPredictor):
    """Elastic net on `predictors.features.matrix`, standardised, on the scale of `predictors.target`."""

    name = "linear"

    def __init__(self) -> None:
        """Not fitted yet."""
        self._line: Line | None = None
        self._curve: Curve | None = None

    def fit(self, graphs: Sequence[StructureGraph], accuracies: Floats, *, seed: int = 0) -> Self:
        """As `fit_targets`, and learn the accuracy that a target means on average."""
        measured = check_training(graphs, accuracies)
        self._line, left_out = _fit(matrix(graphs).astype(np.float64), to_target(measured), seed)
        self._curve = Curve.of(left_out, measured) if len(measured) >= FEWEST else None
        return self

    def fit_targets(self, graphs: Sequence[StructureGraph], targets: Floats, *, seed: int = 0) -> Self:
        """Fit the line; `seed` divides the networks into those that are left out together."""
        self._line, _ = _fit(matrix(graphs).astype(np.float64), targets, seed)
        self._curve = None
        return self

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Mean and standard deviation of the accuracy of every graph."""
        mean, std = self.predict_targets(graphs)
        said = from_target(mean, std)
        return said if self._curve is None else Prediction(self._curve(mean, accuracy_of), said.std)

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Mean and standard deviation of a measurement."""
        line = require_fitted(self._line, self.name)
        scaled = _standardise(matrix(graphs).astype(np.float64), line.centre, line.spread)
        held = np.clip(scaled, line.low - WIDENED, line.high + WIDENED)
        std = line.noise * np.sqrt(1.0 + 1.0 / line.training_graphs + _doubt(line, scaled))
        return Scores(held @ line.weights + line.intercept, std)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `Line`, and those of the `Curve` after ``curve_``."""
        line = require_fitted(self._line, self.name)
        curve = {} if self._curve is None else self._curve.arrays()
        return {**{name: np.asarray(value) for name, value in vars(line).items()}, **curve}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        width = matrix_width()
        vectors = {key: _float(arrays, key, (width,)) for key in ("centre", "spread", "low", "high", "weights")}
        rank = array(arrays, "singular", "f", (None,)).shape[0]
        predictor = cls()
        predictor._line = Line(
            **vectors,
            directions=_float(arrays, "directions", (rank, width)),
            singular=_float(arrays, "singular", (rank,)),
            strength=number(arrays, "strength", low=1e-12),
            intercept=number(arrays, "intercept"),
            noise=number(arrays, "noise", low=0.0),
            training_graphs=int(number(arrays, "training_graphs", low=2)),
        )
        predictor._curve = Curve.from_arrays(arrays)
        return predictor


def _float(arrays: dict[str, NDArray[np.generic]], name: str, shape: tuple[int | None, ...]) -> Floats:
    return array(arrays, name, "f", shape).astype(np.float64)


def _standardise(features: Floats, centre: Floats, spread: Floats) -> Floats:
    used = spread > 0
    return np.where(used, (features - centre) / np.where(used, spread, 1.0), 0.0)


def _fit(features: Floats, targets: Floats, seed: int) -> tuple[Line, Floats]:
    """The line, and what lines of the same strength say of networks that they did not see ``(networks,)``."""
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < 1e-6 * np.maximum(1.0, np.abs(centre))] = 0.0  # float32 rounding is no variation
    scaled = _standardise(features, centre, spread)
    with one_thread():
        penalties = _penalties(scaled, targets)
        said = _left_out(scaled, targets, penalties, _folds(len(targets), seed))
        errors = np.mean((said - targets[:, None]) ** 2, axis=0)
        best = int(np.argmin(errors))
        weights, intercept = _lines(scaled, targets, penalties[: best + 1])
        strength, directions, singular = _posterior(scaled, targets - intercept)
    line = Line(
        centre=centre,
        spread=spread,
        low=scaled.min(axis=0),
        high=scaled.max(axis=0),
        weights=weights[:, best],
        directions=directions,
        singular=singular,
        strength=strength,
        intercept=intercept,
        noise=float(np.sqrt(errors[best])),
        training_graphs=len(targets),
    )
    return line, said[:, best]


def _penalties(scaled: Floats, targets: Floats) -> Floats:
    """Falling, from the smallest that leaves every feature out."""
    pull = np.abs(scaled.T @ (targets - targets.mean())).max() / len(targets)
    return PENALTIES * max(float(pull) / ABSOLUTE, 1e-9)


def _folds(count: int, seed: int) -> NDArray[np.int64]:
    """The fold of every network, equally many in each."""
    return np.random.default_rng(seed).permutation(count) % min(FOLDS, count)


def _left_out(scaled: Floats, targets: Floats, penalties: Floats, folds: NDArray[np.int64]) -> Floats:
    """What the line of every penalty says of every network that it did not see, ``(networks, penalties)``."""
    said = np.empty((len(targets), len(penalties)))
    for fold in np.unique(folds):
        seen = folds != fold
        middle = scaled[seen].mean(axis=0)
        weights, intercept = _lines(scaled[seen] - middle, targets[seen], penalties)
        said[~seen] = intercept + (scaled[~seen] - middle) @ weights
    return said


def _lines(scaled: Floats, targets: Floats, penalties: Floats) -> tuple[Floats, float]:
    """Weights ``(features, penalties)`` and the intercept of centred features."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import enet_path

    intercept = float(targets.mean())
    with warnings.catch_warnings():
        # The weakest penalties of a path may not converge; left-out networks judge what comes of it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = enet_path(scaled, targets - intercept, l1_ratio=ABSOLUTE, alphas=penalties, max_iter=2000, tol=1e-3)
    return np.asarray(found[1], np.float64), intercept


def _posterior(scaled: Floats, targets: Floats) -> tuple[float, Floats, Floats]:
    """Strength of the Bayesian linear model by leave-one-out error, the directions in which networks vary, and how much."""
    left, singular, right = np.linalg.svd(scaled, full_matrices=False)
    strength = min(STRENGTHS, key=lambda strength: _leave_one_out(left, singular, targets, strength))
    return float(strength), right, singular


def _doubt(line: Line, scaled: Floats) -> Floats:
    """Posterior variance of the straight line at every row, per unit of noise: 1/strength along what was never seen to vary."""
    along = (scaled @ line.directions.T) ** 2
    across = np.maximum(np.sum(scaled**2, axis=1) - along.sum(axis=1), 0.0)
    return np.asarray(along @ (1.0 / (line.singular**2 + line.strength)) + across / line.strength)


def _leave_one_out(left: Floats, singular: Floats, targets: Floats, strength: float) -> float:
    """Mean squared leave-one-out error in closed form."""
    share = singular**2 / (singular**2 + strength)
    residual = targets - left @ (share * (left.T @ targets))
    leverage = np.minimum((left**2) @ share + 1.0 / len(targets), 1.0 - 1e-6)
    return float(np.mean((residual / (1.0 - leverage)) ** 2))
