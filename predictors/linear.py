"""Ridge regression on whole-graph and pooled node features: the Bayesian linear model, its strength chosen by leave-one-out error.

Features are standardised; the leave-one-out error of every strength comes in closed form from one SVD. The std is that of a
new measurement (posterior of the weights plus noise) and grows with the distance from the training networks. For the mean,
features are held to the training range widened by one standard deviation: a straight line says nothing far outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.features import matrix, matrix_width
from predictors.state import array, number, require_fitted
from predictors.structure_graph import StructureGraph
from predictors.target_predictor import Scores, TargetPredictor

STRENGTHS = np.geomspace(1e-2, 1e5, 36)
WIDENED = 1.0  # standard deviations


@dataclass(frozen=True, eq=False, kw_only=True)
class Ridge:
    """A fitted ridge regression.

    Attributes:
        centre, spread: of the features, float64 ``(features,)``; spread 0 marks a feature that never varied, and is not used.
        low, high: range of the standardised training features, ``(features,)``.
        weights: on standardised features, ``(features,)``.
        directions: orthonormal, ``(rank, features)``: where the training networks vary.
        singular: how much, ``(rank,)``.
        strength: of the penalty, > 0.
        intercept: mean target.
        noise: standard deviation of one measurement, on the target scale.
        training_graphs: how many networks it was fitted on.
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    weights: NDArray[np.float64]
    directions: NDArray[np.float64]
    singular: NDArray[np.float64]
    strength: float
    intercept: float
    noise: float
    training_graphs: int


class LinearPredictor(TargetPredictor):
    """Ridge on `predictors.features.matrix`, standardised, on the scale of `predictors.target`."""

    name = "linear"

    def __init__(self) -> None:
        """Not fitted yet."""
        self._ridge: Ridge | None = None

    def fit_targets(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Fit in closed form; `seed` changes nothing."""
        self._ridge = _fit(matrix(graphs).astype(np.float64), targets)
        return self

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Posterior mean and standard deviation of a measurement."""
        ridge = require_fitted(self._ridge, self.name)
        scaled = _standardise(matrix(graphs).astype(np.float64), ridge.centre, ridge.spread)
        held = np.clip(scaled, ridge.low - WIDENED, ridge.high + WIDENED)
        std = ridge.noise * np.sqrt(1.0 + 1.0 / ridge.training_graphs + _doubt(ridge, scaled))
        return Scores(held @ ridge.weights + ridge.intercept, std)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `Ridge`."""
        return {name: np.asarray(value) for name, value in vars(require_fitted(self._ridge, self.name)).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        width = matrix_width()
        vectors = {key: _float(arrays, key, (width,)) for key in ("centre", "spread", "low", "high", "weights")}
        rank = array(arrays, "singular", "f", (None,)).shape[0]
        predictor = cls()
        predictor._ridge = Ridge(
            **vectors,
            directions=_float(arrays, "directions", (rank, width)),
            singular=_float(arrays, "singular", (rank,)),
            strength=number(arrays, "strength", low=1e-12),
            intercept=number(arrays, "intercept"),
            noise=number(arrays, "noise", low=0.0),
            training_graphs=int(number(arrays, "training_graphs", low=2)),
        )
        return predictor


def _float(arrays: dict[str, NDArray[np.generic]], name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    return array(arrays, name, "f", shape).astype(np.float64)


def _standardise(
    features: NDArray[np.float64], centre: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    used = spread > 0
    return np.where(used, (features - centre) / np.where(used, spread, 1.0), 0.0)


def _fit(features: NDArray[np.float64], targets: NDArray[np.float64]) -> Ridge:
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < 1e-6 * np.maximum(1.0, np.abs(centre))] = 0.0  # float32 rounding is no variation
    scaled = _standardise(features, centre, spread)
    intercept, count = float(targets.mean()), len(targets)
    left, singular, right = np.linalg.svd(scaled, full_matrices=False)
    _, strength, noise = min(_leave_one_out(left, singular, targets - intercept, value) for value in STRENGTHS)
    shrunk = singular / (singular**2 + strength)
    return Ridge(
        centre=centre,
        spread=spread,
        low=scaled.min(axis=0),
        high=scaled.max(axis=0),
        weights=right.T @ (shrunk * (left.T @ (targets - intercept))),
        directions=right,
        singular=singular,
        strength=strength,
        intercept=intercept,
        noise=noise,
        training_graphs=count,
    )


def _doubt(ridge: Ridge, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Posterior variance of the straight line at every row, per unit of noise: 1/strength along what was never seen to vary."""
    along = (scaled @ ridge.directions.T) ** 2
    across = np.maximum(np.sum(scaled**2, axis=1) - along.sum(axis=1), 0.0)
    return np.asarray(along @ (1.0 / (ridge.singular**2 + ridge.strength)) + across / ridge.strength)


def _leave_one_out(
    left: NDArray[np.float64], singular: NDArray[np.float64], targets: NDArray[np.float64], strength: float
) -> tuple[float, float, float]:
    """Mean squared leave-one-out error, the strength itself, and the noise: the root of that error."""
    share = singular**2 / (singular**2 + strength)
    residual = targets - left @ (share * (left.T @ targets))
    leverage = np.minimum((left**2) @ share + 1.0 / len(targets), 1.0 - 1e-6)
    loss = float(np.mean((residual / (1.0 - leverage)) ** 2))
    return loss, strength, float(np.sqrt(np.mean(residual**2 / (1.0 - leverage))))
