"""A Gaussian process on whole-graph and pooled node features that weighs groups of features.

The kernel is ``s² · Matérn-5/2(√Σ_g a_g d_g²) + Σ_g b_g ⟨x, x'⟩_g``, with d_g² the mean squared difference and ⟨·,·⟩_g the mean
product over the standardised features of group g. The scales a_g, b_g, s and the noise maximise the marginal likelihood times a
log-normal prior (Rasmussen and Williams 2006, chapters 4 and 5). Without the prior, two dozen scales would overfit 30 labels.
Where there are many networks, the scales are learnt on a part of them, and the prediction uses a limited number of *inducing*
networks (projected process, ibid. section 8.3.4), so that a saved predictor stays small.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from predictors.calibration.scale import Scale
from predictors.errors import InvalidPredictorError
from predictors.features.architecture import left_out_together, members_of
from predictors.features.matrix import column_groups, first_columns, matrix, matrix_width
from predictors.models.target_predictor import Scores, TargetPredictor, every_scale
from predictors.state import array, number, require_fitted
from predictors.structure_graph import StructureGraph

Floats = NDArray[np.float64]

CLIP = 4.0  # standard deviations: far outside, a network is treated as one at the edge
JITTER = 1e-5
PRIOR_SPREAD = 1.0  # standard deviation of the prior of every scale's logarithm


@dataclass(frozen=True, kw_only=True)
class GaussianProcessOptions:
    """Limits of the computation.

    Attributes:
        scaled: largest number of networks from which the scales are learnt, ≥ 2.
        inducing: largest number of networks that are kept, ≥ 2.
        iterations: largest number of iterations of the optimiser, ≥ 1.
    """

    scaled: int = 600
    inducing: int = 1200
    iterations: int = 60

    def __post_init__(self) -> None:
        """Refuse values that are not possible."""
        if min(self.scaled, self.inducing) < 2 or self.iterations < 1:
            raise ValueError(f"need scaled ≥ 2, inducing ≥ 2 and iterations ≥ 1, got {self}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Process:
    """A fitted Gaussian process.

    Attributes:
        centre, spread: mean and spread of the features, float64 ``(features,)``; a feature with spread 0 never varied and is not used.
        rows: standardised features of the inducing networks, float32 ``(inducing, features)``.
        scales: logarithms of a_g and b_g for every group in the order of `GROUPS` (the first groups, if the process was fitted on the
            first columns only), of s² and of the noise's variance.
        weights: weights of the inducing networks, ``(inducing,)``.
        prior_factor, data_factor: lower Cholesky factors whose squares' inverses give the variance, ``(inducing, inducing)``.
        intercept, unit: centre and scale of the targets.
        training_graphs: number of networks that it was fitted on.
    """

    centre: Floats
    spread: Floats
    rows: NDArray[np.float32]
    scales: Floats
    weights: Floats
    prior_factor: NDArray[np.float32]
    data_factor: NDArray[np.float32]
    intercept: float
    unit: float
    training_graphs: int

    @cached_property
    def inducing(self) -> "_Rows":
        """The inducing networks, ready for products."""
        return _Rows(self.rows.astype(np.float64), self.spread > 0)

    @cached_property
    def factors(self) -> tuple[Floats, ...]:
        """The factor of the data and, if it contributes, the factor of the prior, in double precision."""
        kept = (self.data_factor, self.prior_factor) if self.prior_factor.any() else (self.data_factor,)
        return tuple(factor.astype(np.float64) for factor in kept)


def _members() -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Names of the groups, and the columns of each, bool ``(groups, features)``."""
    groups = column_groups()
    names = tuple(dict.fromkeys(groups))
    return names, np.array([[group == name for group in groups] for name in names])


GROUPS, MEMBERS = _members()


class GaussianProcessPredictor(TargetPredictor):
    """Gaussian process on `predictors.features.matrix.matrix`."""

    name = "gp"

    def __init__(self, options: GaussianProcessOptions = GaussianProcessOptions()) -> None:
        """Not fitted yet."""
        self.options = options
        self._process: Process | None = None

    def _learn(self, graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> None:
        """Learn the scales, then the weights; `seed` chooses the networks if there are more than are used."""
        self._learn_kept(graphs, targets, seed)

    def _learn_left_out(self, graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> Scores:
        """Left-out predictions in closed form, with the scales learnt on all networks (Rasmussen and Williams 2006, section 5.4.2).

        Networks of one architecture are left out together.
        """
        process, kept = self._learn_kept(graphs, targets, seed)
        return _left_out(process, targets, kept, left_out_together(graphs)[kept])

    def _learn_kept(
        self, graphs: Sequence[StructureGraph], targets: Floats, seed: int
    ) -> tuple[Process, NDArray[np.int64]]:
        rng = np.random.default_rng(seed)
        self._process, kept = _fit(matrix(graphs).astype(np.float64), targets, self.options, rng)
        return self._process, kept

    def _candidates(self, graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> Sequence[Scale | None]:
        return every_scale(graphs, targets)

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Posterior mean, and the standard deviation of a new measurement."""
        process = require_fitted(self._process, self.name)
        return _predict(process, matrix(graphs)[:, : len(process.centre)].astype(np.float64))

    @property
    def typical_features(self) -> NDArray[np.float32]:
        """Mean over the networks of the fit of the first columns of `predictors.features.matrix.matrix`."""
        return require_fitted(self._process, self.name).centre.astype(np.float32)

    def _state(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `Process`."""
        process = require_fitted(self._process, self.name)
        return {field.name: np.asarray(getattr(process, field.name)) for field in fields(process)}

    @classmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        width = first_columns(array(arrays, "centre", "f", (None,)).shape[0], matrix_width(), "Gaussian process")
        count = array(arrays, "weights", "f", (None,)).shape[0]
        groups = int(np.count_nonzero(MEMBERS[:, :width].any(axis=1)))
        scales = array(arrays, "scales", "f", (2 * groups + 2,)).astype(np.float64)
        if np.abs(scales).max() > 50:
            raise InvalidPredictorError("saved Gaussian process has impossible scales")
        predictor = cls()
        predictor._process = Process(
            centre=array(arrays, "centre", "f", (width,)).astype(np.float64),
            spread=array(arrays, "spread", "f", (width,)).astype(np.float64),
            rows=array(arrays, "rows", "f", (count, width)).astype(np.float32),
            scales=scales,
            weights=array(arrays, "weights", "f", (count,)).astype(np.float64),
            prior_factor=array(arrays, "prior_factor", "f", (count, count)).astype(np.float32),
            data_factor=array(arrays, "data_factor", "f", (count, count)).astype(np.float32),
            intercept=number(arrays, "intercept"),
            unit=number(arrays, "unit", low=0.0),
            training_graphs=int(number(arrays, "training_graphs", low=2)),
        )
        if not count or not (np.diag(predictor._process.data_factor) > 0).all():
            raise InvalidPredictorError("saved Gaussian process is damaged: its factor is not a Cholesky factor")
        return predictor


def _fit(
    features: Floats, targets: Floats, options: GaussianProcessOptions, rng: np.random.Generator
) -> tuple[Process, NDArray[np.int64]]:
    """The process, and the rows of the inducing networks."""
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < 1e-6 * np.maximum(1.0, np.abs(centre))] = 0.0  # a smaller spread is only rounding of float32
    rows = _standardised(features, centre, spread)
    intercept, unit = float(targets.mean()), float(targets.std())
    unit = unit if unit > 1e-9 else 1e-9
    scaled = (targets - intercept) / unit
    order = rng.permutation(len(targets))
    first = np.sort(order[: options.scaled])
    some = _Rows(rows[first], spread > 0)
    scales = _learnt(_Terms(some, some), scaled[first], options.iterations)
    kept = np.sort(order[: options.inducing])
    inducing = rows[kept].astype(np.float32)
    prior, data, weights = _weights(
        rows, inducing.astype(np.float64), scaled, scales, spread > 0, len(kept) == len(rows)
    )
    process = Process(
        centre=centre,
        spread=spread,
        rows=inducing,
        scales=scales,
        weights=weights,
        prior_factor=prior.astype(np.float32),
        data_factor=data.astype(np.float32),
        intercept=intercept,
        unit=unit,
        training_graphs=len(targets),
    )
    return process, kept


def _left_out(process: Process, targets: Floats, kept: NDArray[np.int64], group: NDArray[np.int64]) -> Scores:
    """Left-out predictions of a process on the inducing networks only; NaN for the other networks."""
    covariance = _Terms(process.inducing, process.inducing).kernel(process.scales)
    covariance[np.diag_indices_from(covariance)] += float(np.exp(process.scales[-1])) + JITTER
    inverse = cho_solve(cho_factor(covariance, lower=True), np.eye(len(kept)))
    known = (targets[kept] - process.intercept) / process.unit
    said = Scores(*np.full((2, len(targets)), np.nan))
    error, variance = inverse @ known / np.diag(inverse), 1.0 / np.diag(inverse)
    for rows in members_of(group) if len(np.unique(group)) < len(group) else ():
        covariance = np.linalg.inv(inverse[np.ix_(rows, rows)])
        error[rows], variance[rows] = covariance @ (inverse[rows] @ known), np.diag(covariance)
    said.mean[kept] = (known - error) * process.unit + process.intercept
    said.std[kept] = process.unit * np.sqrt(variance)
    return said


def _standardised(features: Floats, centre: Floats, spread: Floats) -> Floats:
    used = spread > 0
    return np.where(used, np.clip((features - centre) / np.where(used, spread, 1.0), -CLIP, CLIP), 0.0)


class _Rows:
    """Standardised features ``(networks, features)``, those that vary, by group."""

    def __init__(self, features: Floats, varies: NDArray[np.bool_]) -> None:
        self.count = len(features)
        members = MEMBERS[:, : len(varies)] & varies
        self.groups = np.flatnonzero(members.any(axis=1))
        self.parts = [features[:, members[group]] for group in self.groups]
        self.squares = [(part * part).sum(axis=1) for part in self.parts]


class _Terms:
    """Squared distances and products between two sets of rows, by group that varies, each ``(groups, first, second)``."""

    def __init__(self, first: _Rows, second: _Rows) -> None:
        self.groups = first.groups
        shape = (len(self.groups), first.count, second.count)
        self.distances, self.products = np.empty(shape), np.empty(shape)
        for place, (one, two) in enumerate(zip(first.parts, second.parts, strict=True)):
            product, width = one @ two.T, one.shape[1]
            squares = first.squares[place][:, None] + second.squares[place]
            self.distances[place] = np.maximum(squares - 2 * product, 0.0) / width
            self.products[place] = product / width

    def split(self, scales: Floats) -> tuple[Floats, Floats, float]:
        """a_g and b_g of these groups, and s²."""
        values = np.exp(scales)
        return values[self.groups], values[_groups(scales) + self.groups], float(values[-2])

    def kernel(self, scales: Floats) -> Floats:
        """Covariances ``(first, second)``."""
        near, along, height = self.split(scales)
        root = np.sqrt(5.0 * np.tensordot(near, self.distances, 1))
        found: Floats = height * (1 + root + root * root / 3) * np.exp(-root) + np.tensordot(along, self.products, 1)
        return found


def _groups(scales: Floats) -> int:
    """Number of groups that the scales are for."""
    return (len(scales) - 2) // 2


def _start(groups: int) -> Floats:
    """Logarithms of the prior's centres: 0.5 for a_g and 0.3 for b_g, each divided among the groups that vary; 1 for s², 0.1 for noise."""
    each = max(groups, 1)
    parts = [np.log(0.5 / each), np.log(0.3 / each)]
    return np.concatenate([np.repeat(parts, len(GROUPS)), [0.0, np.log(0.1)]])


def _learnt(terms: _Terms, targets: Floats, iterations: int) -> Floats:
    """Scales of the largest posterior."""
    from scipy.optimize import minimize  # slow to import, and not needed to predict

    prior = _start(len(terms.groups))
    bounds = [(middle - 6.0, middle + 6.0) for middle in prior]
    options = {"maxiter": iterations}
    found = minimize(_loss, prior, (terms, targets, prior), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x, np.float64)


def _loss(scales: Floats, terms: _Terms, targets: Floats, prior: Floats) -> tuple[float, Floats]:
    """Negative logarithm of the posterior of the scales, and its gradient."""
    near, along, height = terms.split(scales)
    noise = float(np.exp(scales[-1]))
    root = np.sqrt(5.0 * np.tensordot(near, terms.distances, 1))
    decay = np.exp(-root)
    matern = (1 + root + root * root / 3) * decay
    covariance = height * matern + np.tensordot(along, terms.products, 1)
    covariance[np.diag_indices_from(covariance)] += noise + JITTER
    factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
    weights = cho_solve(factor, targets, check_finite=False)
    inverse = cho_solve(factor, np.eye(len(targets)), check_finite=False)
    inverse -= np.outer(weights, weights)
    slope = inverse * decay * (1 + root) * (-5.0 / 6.0 * height)
    gradient = np.zeros_like(scales)
    gradient[terms.groups] = near * np.tensordot(terms.distances, slope, 2)
    gradient[len(GROUPS) + terms.groups] = along * np.tensordot(terms.products, inverse, 2)
    gradient[-2] = height * float((inverse * matern).sum())
    gradient[-1] = noise * float(np.trace(inverse))
    away = (scales - prior) / PRIOR_SPREAD**2
    loss = (
        0.5 * float(targets @ weights) + float(np.log(np.diag(factor[0])).sum()) + 0.5 * float(away @ (scales - prior))
    )
    return loss, 0.5 * gradient + away


def _weights(
    rows: Floats, inducing: Floats, targets: Floats, scales: Floats, varies: NDArray[np.bool_], exact: bool
) -> tuple[NDArray[np.floating], NDArray[np.floating], Floats]:
    """Factors for the variance, and the weights of the inducing networks."""
    noise = float(np.exp(scales[-1])) + JITTER
    some = _Rows(inducing, varies)
    own = _Terms(some, some).kernel(scales)
    if exact:
        own[np.diag_indices_from(own)] += noise
        factor = np.linalg.cholesky(own)
        # The variance is the prior's, minus the part that the data explain; there is no second term.
        return np.zeros_like(factor), factor, np.asarray(cho_solve((factor, True), targets), np.float64)
    own[np.diag_indices_from(own)] += JITTER * (1 + noise)
    inner, right = own * noise, np.zeros(len(inducing))
    for start in range(0, len(rows), 1000):
        cross = _Terms(_Rows(rows[start : start + 1000], varies), some).kernel(scales)
        inner += cross.T @ cross
        right += cross.T @ targets[start : start + 1000]
    prior, data = np.linalg.cholesky(own), np.linalg.cholesky(inner / noise)
    return prior, data, np.asarray(cho_solve((data, True), right / noise), np.float64)


def _predict(process: Process, features: Floats) -> Scores:
    rows = _standardised(features, process.centre, process.spread)
    varies = process.spread > 0
    means, variances = [np.zeros(0)], [np.zeros(0)]
    for start in range(0, len(rows), 1000):
        part = _Rows(rows[start : start + 1000], varies)
        cross = _Terms(part, process.inducing).kernel(process.scales)
        means.append(cross @ process.weights)
        variances.append(_prior_variance(part, process.scales) + _explained(process, cross))
    noise = float(np.exp(process.scales[-1]))
    std = np.sqrt(np.maximum(np.concatenate(variances), 0.0) + noise)
    return Scores(np.concatenate(means) * process.unit + process.intercept, std * process.unit)


def _prior_variance(rows: _Rows, scales: Floats) -> Floats:
    values = np.exp(scales)
    found = np.full(rows.count, values[-2])
    for group, part, squares in zip(rows.groups, rows.parts, rows.squares, strict=True):
        found += values[_groups(scales) + group] * (squares / part.shape[1])
    return found


def _explained(process: Process, cross: Floats) -> Floats:
    """Change of the prior variance by the data (negative), ``(rows,)``."""
    factors = process.factors
    data = solve_triangular(factors[0], cross.T, lower=True, check_finite=False)
    if len(factors) == 1:
        return np.asarray(-(data**2).sum(axis=0))
    prior = solve_triangular(factors[1], cross.T, lower=True, check_finite=False)
    return np.asarray((data**2).sum(axis=0) - (prior**2).sum(axis=0))
