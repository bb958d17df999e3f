"""Milliseconds for one example, from structure: every operator has a cost per call, per multiplication and per number that it writes.

A sum over operators is valid for larger and different networks too, where a smooth function of totals is not. The costs minimise the
squared relative errors and are not negative (Lawson and Hanson 1974). A Gaussian process on a few totals corrects the sum by a factor
near one; the correction fades far from the networks of the fit. Zeros cost as much as any weight, because onnxruntime multiplies
densely: only what `onnx_graph.shrink` removes saves time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from predictors.errors import InvalidPredictorError, InvalidTrainingSetError
from predictors.features.matrix import node_table
from predictors.features.node_features import COLUMN
from predictors.predictor import NORMAL_90, Prediction
from predictors.reading.operators import CLASSES
from predictors.state import array, number, positive, require_fitted
from predictors.structure_graph import StructureGraph

Floats = NDArray[np.float64]

PARTS = ("count", "products", "weights", "outputs")
"""The parts of an operator's cost; each has a price for every operator class."""
SCALES = (0.5, 1.0, 2.0, 4.0)
NOISES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
FEWEST = 8
FOLDS = 5
LEAST = 1e-6
"""Least number of milliseconds that any network takes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Costs:
    """A fitted model.

    Attributes:
        costs: milliseconds of a call, then of each unit of every part and class, ``(1 + parts · classes,)``.
        centre, spread: mean and spread of the totals, ``(totals,)``.
        rows: standardised totals of the networks of the fit, ``(networks, totals)``.
        counts: operators of every class in these networks, ``(classes,)``; a class with 0 was never measured.
        weights: weights of these networks in the logarithm of the factor, ``(networks,)``.
        scale: distance, in spreads, over which factors resemble each other.
        noise: standard deviation of the logarithm of a new network's milliseconds, by cross-validation.
        training_graphs: number of networks that it was fitted on.
    """

    costs: Floats
    centre: Floats
    spread: Floats
    rows: Floats
    counts: Floats
    weights: Floats
    scale: float
    noise: float
    training_graphs: int


class LatencyPredictor:
    """A predictor of milliseconds instead of accuracies; otherwise like `predictors.predictor.Predictor`."""

    name = "latency"

    def __init__(self) -> None:
        """Not fitted yet."""
        self._costs: Costs | None = None

    def fit(self, graphs: Sequence[StructureGraph], milliseconds: Floats, *, seed: int = 0) -> Self:
        """Learn from measured milliseconds ``(networks,)`` > 0 of at least eight networks; `seed` changes nothing."""
        times = np.asarray(milliseconds, np.float64)
        if times.shape != (len(graphs),) or len(times) < FEWEST or not (np.isfinite(times) & (times > 0)).all():
            raise InvalidTrainingSetError(
                f"latency is learnt from one positive time for each of at least {FEWEST} networks, got {len(graphs)} and {times.shape}"
            )
        parts = _parts(graphs)
        totals = _totals(graphs, parts)
        fitted = _fitted(parts, totals, times)
        self._costs = replace(fitted, noise=_left_out_error(parts, totals, times))
        return self

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Milliseconds, their standard deviation, the 90 % interval, and the distance.

        The distance is 0 if all operators were measured. Otherwise it is 1 plus the number of operators that were not measured, and the
        network is outside.
        """
        fitted = require_fitted(self._costs, self.name)
        if not graphs:
            return Prediction(np.zeros(0), np.zeros(0))
        parts = _parts(graphs)
        mean = _said(fitted, parts, _totals(graphs, parts))
        return Prediction(
            mean=mean,
            std=mean * fitted.noise,
            low=mean * np.exp(-NORMAL_90 * fitted.noise),
            high=mean * np.exp(NORMAL_90 * fitted.noise),
            distance=_unknown(fitted, parts),
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `Costs`."""
        return {name: np.asarray(value) for name, value in vars(require_fitted(self._costs, self.name)).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        predictor = cls()
        count = array(arrays, "weights", "f", (None,)).shape[0]
        vectors = {
            name: array(arrays, name, "f", shape).astype(np.float64)
            for name, shape in (
                ("costs", (1 + len(PARTS) * len(CLASSES),)),
                ("centre", (_TOTALS,)),
                ("rows", (count, _TOTALS)),
                ("counts", (len(CLASSES),)),
                ("weights", (count,)),
            )
        }
        if not 0 <= number(arrays, "noise") < 10:
            raise InvalidPredictorError("saved latency predictor is damaged: its noise must be positive")
        predictor._costs = Costs(
            **vectors,
            spread=positive(arrays, "spread", (_TOTALS,)).astype(np.float64),
            scale=number(arrays, "scale", low=1e-6),
            noise=number(arrays, "noise", low=0.0),
            training_graphs=int(number(arrays, "training_graphs", low=FEWEST)),
        )
        return predictor


def _fitted(parts: Floats, totals: Floats, times: Floats) -> Costs:
    """Costs and factors; until cross-validation, the noise is the noise of the factors only."""
    from scipy.optimize import nnls  # slow to import, and not needed to predict

    costs, _ = nnls(parts / times[:, None], np.ones(len(times)))
    rest = np.log(times / np.maximum(parts @ costs, LEAST))
    centre, spread = totals.mean(axis=0), np.maximum(totals.std(axis=0), 1e-3)
    rows = (totals - centre) / spread
    scale, weights, noise = _factor(rows, rest)
    return Costs(
        costs=costs,
        centre=centre,
        spread=spread,
        rows=rows,
        counts=_counts(parts).sum(axis=0),
        weights=weights,
        scale=scale,
        noise=noise,
        training_graphs=len(times),
    )


def _said(fitted: Costs, parts: Floats, totals: Floats) -> Floats:
    rows = (totals - fitted.centre) / fitted.spread
    factor = _kernel(rows, fitted.rows, fitted.scale) @ fitted.weights
    return np.asarray(np.maximum(parts @ fitted.costs, LEAST) * np.exp(factor))


def _left_out_error(parts: Floats, totals: Floats, times: Floats) -> float:
    """Standard deviation of the log error on networks that neither the costs nor the factors were fitted on."""
    fold = np.random.default_rng(0).permutation(len(times)) % FOLDS
    errors = []
    for place in range(FOLDS):
        inside, outside = fold == place, fold != place
        fitted = _fitted(parts[outside], totals[outside], times[outside])
        errors.append(np.log(times[inside] / _said(fitted, parts[inside], totals[inside])))
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def _parts(graphs: Sequence[StructureGraph]) -> Floats:
    """Ones, then for every class: calls, thousands of products, of weights and of outputs, ``(graphs, 1 + parts · classes)``."""
    features, operators, owner = node_table(graphs)
    columns = [COLUMN["log_macs"], COLUMN["log_weights"], COLUMN["log_out_elements"]]
    values = np.concatenate([np.ones((len(owner), 1)), np.expm1(features[:, columns].astype(np.float64)) / 1e3], axis=1)
    table = np.zeros((len(graphs), len(CLASSES), len(PARTS)))
    np.add.at(table, (owner, operators), values)
    return np.concatenate([np.ones((len(graphs), 1)), table.swapaxes(1, 2).reshape(len(graphs), -1)], axis=1)


def _counts(parts: Floats) -> Floats:
    """Operators of every class, ``(graphs, classes)``: the first of the parts."""
    return parts[:, 1 : 1 + len(CLASSES)]


def _unknown(fitted: Costs, parts: Floats) -> Floats:
    """0 if all operators were measured, else 1 plus the number of unmeasured operators, ``(graphs,)``."""
    number = _counts(parts) @ (fitted.counts == 0)
    return np.where(number > 0, 1 + number, 0.0)


_TOTALS = len(PARTS) + 1


def _totals(graphs: Sequence[StructureGraph], parts: Floats) -> Floats:
    """Logarithms of the parts summed over classes, and of the products of the largest operator, ``(graphs, totals)``."""
    features, _, owner = node_table(graphs)
    summed = parts[:, 1:].reshape(len(graphs), len(PARTS), -1).sum(axis=2)
    largest = np.zeros(len(graphs))
    np.maximum.at(largest, owner, features[:, COLUMN["log_macs"]].astype(np.float64))
    return np.concatenate([np.log1p(summed), largest[:, None]], axis=1)


def _kernel(one: Floats, other: Floats, scale: float) -> Floats:
    squares = (one * one).sum(axis=1)[:, None] + (other * other).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.exp(-np.maximum(squares, 0.0) / (2 * scale * scale)))


def _factor(rows: Floats, rest: Floats) -> tuple[float, Floats, float]:
    """Scale, weights and left-out error of a process whose prior variance is the variance of the residuals."""
    best: tuple[float, float, Floats] | None = None
    height = max(float(rest.var()), 1e-8)
    for scale in SCALES:
        kernel = height * _kernel(rows, rows, scale)
        for noise in NOISES:
            factor = cho_factor(kernel + noise**2 * np.eye(len(rest)))
            inverse = cho_solve(factor, np.eye(len(rest)))
            weights = inverse @ rest
            error = float(np.sqrt(np.mean((weights / np.diag(inverse)) ** 2)))
            if best is None or error < best[0]:
                best = (error, scale, height * weights)
    assert best is not None
    return best[1], best[2], best[0]
