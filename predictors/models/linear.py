"""A straight line on whole-graph and pooled node features: the mean of a Bayesian line and of an elastic net.

Features are standardised. The Bayesian line (ridge regression) uses all of them; its penalty has the least leave-one-out error, in
closed form. The elastic net (Zou and Hastie 2005) ignores most features; its penalty is chosen by cross-validation. The net ranks
better if few features matter, the line if many do, and their mean is about as good as the better of the two.
The std is the std of a new measurement (posterior of the line's weights plus noise) and grows with the distance from the training
networks. For the mean, features are clipped to the training range widened by one standard deviation: far outside of it a straight
line is meaningless.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.conformal import FOLDS
from predictors.calibration.scale import Scale
from predictors.features.architecture import folds, left_out_together, members_of
from predictors.features.matrix import first_columns, matrix, matrix_width
from predictors.models.target_predictor import Scores, TargetPredictor, every_scale
from predictors.silenced import silenced
from predictors.state import array, number, require_fitted
from predictors.structure_graph import StructureGraph

Floats = NDArray[np.float64]

STRENGTHS = np.geomspace(1e-2, 1e5, 36)
"""Penalties of the Bayesian line to choose from."""
PENALTIES = np.geomspace(1.0, 1e-2, 30)
"""Penalties of the elastic net to choose from, as shares of the smallest one that ignores every feature."""
ABSOLUTE = 0.1
"""Share of the elastic net's penalty that is on absolute weights; the rest is on squared weights."""
WIDENED = 1.0  # standard deviations


@dataclass(frozen=True, eq=False, kw_only=True)
class Line:
    """A fitted line.

    Attributes:
        centre, spread: mean and spread of the features, float64 ``(features,)``; a feature with spread 0 never varied and is not used.
        low, high: range of the standardised training features, ``(features,)``.
        weights: weights of the standardised features, ``(features,)``.
        directions: orthonormal directions in which the training networks vary, ``(rank, features)``.
        singular: singular values of these directions, ``(rank,)``.
        strength: strength of the Bayesian line's penalty, > 0.
        intercept: mean target.
        noise: standard deviation of one measurement, in the unit of the targets.
        training_graphs: number of networks that it was fitted on.
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
    """Bayesian line and elastic net on the standardised columns of `predictors.features.matrix.matrix`, on the best of three scales."""

    name = "linear"

    def __init__(self) -> None:
        """Not fitted yet."""
        self._line: Line | None = None

    def _learn(self, graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> None:
        """Fit the line; `seed` decides which networks are left out together."""
        self._line, _ = _fit(graphs, targets, seed)

    def _learn_left_out(self, graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> Scores:
        self._line, left_out = _fit(graphs, targets, seed)
        return Scores(left_out, self.predict_targets(graphs).std)

    def _candidates(self, graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> Sequence[Scale | None]:
        return every_scale(graphs, targets)

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Mean and standard deviation of a measurement."""
        line = require_fitted(self._line, self.name)
        read = matrix(graphs)[:, : len(line.centre)]
        scaled = _standardise(read.astype(np.float64), line.centre, line.spread)
        held = np.clip(scaled, line.low - WIDENED, line.high + WIDENED)
        std = line.noise * np.sqrt(1.0 + 1.0 / line.training_graphs + _doubt(line, scaled))
        return Scores(held @ line.weights + line.intercept, std)

    def _state(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `Line`."""
        return {name: np.asarray(value) for name, value in vars(require_fitted(self._line, self.name)).items()}

    @classmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        width = first_columns(array(arrays, "centre", "f", (None,)).shape[0], matrix_width(), "line")
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
        return predictor


def _float(arrays: dict[str, NDArray[np.generic]], name: str, shape: tuple[int | None, ...]) -> Floats:
    return array(arrays, name, "f", shape).astype(np.float64)


def _standardise(features: Floats, centre: Floats, spread: Floats) -> Floats:
    used = spread > 0
    return np.where(used, (features - centre) / np.where(used, spread, 1.0), 0.0)


def _fit(graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> tuple[Line, Floats]:
    """The line, and left-out predictions of such lines ``(networks,)``."""
    features = matrix(graphs).astype(np.float64)
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < 1e-6 * np.maximum(1.0, np.abs(centre))] = 0.0  # a smaller spread is only rounding of float32
    scaled = _standardise(features, centre, spread)
    intercept, unit = float(targets.mean()), max(float(targets.std()), 1e-9)
    own = (targets - intercept) / unit  # a penalty on squares depends on the unit
    bayesian = _bayesian(scaled, own, left_out_together(graphs))
    sparse, left_out = _sparse(scaled, own, spread > 0, folds(graphs, FOLDS, np.random.default_rng(seed)))
    line = Line(
        centre=centre,
        spread=spread,
        low=scaled.min(axis=0),
        high=scaled.max(axis=0),
        weights=unit * (bayesian.weights + sparse) / 2,
        directions=bayesian.directions,
        singular=bayesian.singular,
        strength=bayesian.strength,
        intercept=intercept,
        noise=unit * bayesian.noise,
        training_graphs=len(targets),
    )
    return line, unit * (bayesian.left_out + left_out) / 2 + intercept


class _Bayesian(NamedTuple):
    """A ridge regression on centred targets; `left_out` holds the predictions for the networks of a group when the group is left out."""

    weights: Floats
    directions: Floats
    singular: Floats
    strength: float
    noise: float
    left_out: Floats


def _bayesian(scaled: Floats, targets: Floats, group: NDArray[np.int64]) -> _Bayesian:
    """The penalty with the least mean squared leave-one-out error, in closed form from one decomposition.

    Args:
        scaled: standardised features ``(networks, features)``.
        targets: centred targets ``(networks,)``.
        group: number of the group of every network that is left out together, ``(networks,)``.
    """
    left, singular, right = np.linalg.svd(scaled, full_matrices=False)
    squares = left**2
    tried = [_leave_one_out(left, squares, singular, targets, strength) for strength in STRENGTHS]
    best = int(np.argmin([np.mean((targets - said) ** 2) for said, _ in tried]))
    said, leverage = tried[best]
    strength = float(STRENGTHS[best])
    return _Bayesian(
        weights=right.T @ (singular / (singular**2 + strength) * (left.T @ targets)),
        directions=right,
        singular=singular,
        strength=strength,
        # (residual / (1 − leverage))² is the squared error; the noise is the part that the uncertainty of the weights does not explain.
        noise=float(np.sqrt(np.mean((targets - said) ** 2 * (1.0 - leverage)))),
        left_out=said
        if len(np.unique(group)) == len(group)
        else _leave_group_out(left, singular, targets, strength, group),
    )


MOST_TOGETHER = 1000
"""Most networks of a group that are left out at once: time grows with the third power of their number."""


def _leave_group_out(
    left: Floats, singular: Floats, targets: Floats, strength: float, group: NDArray[np.int64]
) -> Floats:
    """Prediction for every network when all networks of its group are left out, ``(networks,)``: residuals solved by I − H of the group."""
    share = singular**2 / (singular**2 + strength)
    residual = targets - left @ (share * (left.T @ targets))
    said = np.empty(len(targets))
    for rows in (part for own in members_of(group) for part in np.array_split(own, -(-len(own) // MOST_TOGETHER))):
        leverage = (left[rows] * share) @ left[rows].T + 1.0 / len(targets)
        rest = (1.0 + 1e-6) * np.eye(len(rows)) - leverage
        said[rows] = targets[rows] - np.linalg.solve(rest, residual[rows])
    return said


def _leave_one_out(
    left: Floats, squares: Floats, singular: Floats, targets: Floats, strength: float
) -> tuple[Floats, Floats]:
    """Leave-one-out prediction and leverage of every network, each ``(networks,)``."""
    share = singular**2 / (singular**2 + strength)
    residual = targets - left @ (share * (left.T @ targets))
    leverage = np.minimum(squares @ share + 1.0 / len(targets), 1.0 - 1e-6)
    return targets - residual / (1.0 - leverage), leverage


def _sparse(
    scaled: Floats, targets: Floats, varied: NDArray[np.bool_], fold_of: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Weights of the elastic net ``(features,)``, and its left-out predictions ``(networks,)``."""
    kept = np.asfortranarray(scaled[:, varied])
    penalties = _penalties(kept, targets)
    said = _left_out(kept, targets, penalties, fold_of)
    best = int(np.argmin(np.mean((said - targets[:, None]) ** 2, axis=0)))
    weights = np.zeros(len(varied))
    weights[varied] = _paths(kept, targets, penalties[: best + 1])[:, best]
    return weights, said[:, best]


def _penalties(scaled: Floats, targets: Floats) -> Floats:
    """Penalties in descending order, from the smallest one that ignores every feature."""
    pull = float(np.abs(scaled.T @ (targets - targets.mean())).max(initial=0.0)) / len(targets)
    return PENALTIES * max(pull / ABSOLUTE, 1e-9)


def _left_out(scaled: Floats, targets: Floats, penalties: Floats, fold_of: NDArray[np.int64]) -> Floats:
    """Left-out prediction of the elastic net for every penalty, ``(networks, penalties)``."""
    said = np.empty((len(targets), len(penalties)))
    for fold in np.unique(fold_of):
        seen = fold_of != fold
        middle, intercept = scaled[seen].mean(axis=0), targets[seen].mean()
        weights = _paths(scaled[seen] - middle, targets[seen] - intercept, penalties)
        said[~seen] = intercept + (scaled[~seen] - middle) @ weights
    return said


def _paths(scaled: Floats, targets: Floats, penalties: Floats) -> Floats:
    """Weights of the elastic net ``(features, penalties)`` for centred features and targets."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import enet_path

    if not scaled.shape[1]:
        return np.zeros((0, len(penalties)))
    # The weakest penalties of a path may not converge; cross-validation judges the result.
    with silenced(ConvergenceWarning):
        # The order is cyclic, so that nothing is drawn; without a seed, one would be taken from numpy's global generator.
        found = enet_path(scaled, targets, l1_ratio=ABSOLUTE, alphas=penalties, max_iter=1000, tol=1e-3, random_state=0)
    return np.asarray(found[1], np.float64)


def _doubt(line: Line, scaled: Floats) -> Floats:
    """Posterior variance of the line at every row, per unit of noise; along directions without training variation it is 1 / strength."""
    along = (scaled @ line.directions.T) ** 2
    across = np.maximum(np.sum(scaled**2, axis=1) - along.sum(axis=1), 0.0)
    return np.asarray(along @ (1.0 / (line.singular**2 + line.strength)) + across / line.strength)
