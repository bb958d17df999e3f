"""Gaussian process, linear model and forest together, fitted in about two seconds on a hundred networks: a search refits it every round.

The process fits smooth trends through few networks, the line extrapolates, and the trees find thresholds in many networks. Their
errors differ, so their mean ranks better than each of them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.scale import Scale
from predictors.calibration.support import Support
from predictors.calibration.target import accuracy_of
from predictors.features.architecture import left_out_together
from predictors.features.matrix import matrix, structure_matrix
from predictors.models.forest import ForestOptions, ForestPredictor
from predictors.models.gaussian_process import GaussianProcessOptions, GaussianProcessPredictor
from predictors.models.linear import LinearPredictor
from predictors.models.target_predictor import Scores, TargetPredictor
from predictors.predictor import Prediction
from predictors.state import divided, joined, require_fitted
from predictors.structure_graph import StructureGraph


class QuickPredictor(TargetPredictor):
    """Mean of three members; the std combines their own and their disagreement."""

    name = "quick"

    def __init__(self) -> None:
        """Not fitted yet."""
        self._members = self._fresh()
        self._support: Support | None = None

    def _learn(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> None:
        """Fit every member on all networks."""
        members = self._fresh()
        for member in members:
            member.fit_targets(graphs, targets, seed=seed)
        self._support = Support.of(structure_matrix(graphs), np.random.default_rng(seed), left_out_together(graphs))
        self._members = members

    def _learn_left_out(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> Scores:
        members = self._fresh()
        left_out = [member.fit_left_out(graphs, targets, seed=seed) for member in members]
        self._support = Support.of(structure_matrix(graphs), np.random.default_rng(seed), left_out_together(graphs))
        self._members = members
        return _joined(left_out, self._weights())

    def _candidates(
        self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int
    ) -> Sequence[Scale | None]:
        """The scale on which the linear member ranks best; it is the quickest member to try."""
        return [LinearPredictor().fit(graphs, accuracy_of(targets), seed=seed).scale]

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Predict as every predictor does, with the distance to the networks of the fit."""
        said, support = super().predict(graphs), require_fitted(self._support, self.name)
        return replace(said, distance=support.distances(matrix(graphs)))

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Mean of the members' means; variance: the members' mean variance plus the variance of their means."""
        said = [one.predict_targets(graphs) for one in self._members]
        return _joined(said, self._weights())

    @property
    def support(self) -> Support:
        """The region of features in which the predictor was fitted."""
        return require_fitted(self._support, self.name)

    @property
    def typical_features(self) -> NDArray[np.float32]:
        """Mean over the networks of the fit of the first columns of `predictors.features.matrix.matrix`."""
        return next(one.typical_features for one in self._members if isinstance(one, GaussianProcessPredictor))

    def _state(self) -> dict[str, NDArray[np.generic]]:
        """The members' arrays, each under ``member/array``, and ``training_graphs`` ``()``."""
        parts = {one.name: one.arrays() for one in self._members}
        found = joined(parts)
        found |= require_fitted(self._support, self.name).arrays()
        return found | {"training_graphs": next(iter(parts.values()))["training_graphs"]}

    @classmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        predictor = cls()
        own = ("training_graphs", "support_")
        held = {name: value for name, value in arrays.items() if not name.startswith(own)}
        parts = divided(held, [one.name for one in predictor._members])
        predictor._members = tuple(type(one).from_arrays(parts[one.name]) for one in predictor._members)
        predictor._support = Support.from_arrays(arrays)
        return predictor

    def _weights(self) -> NDArray[np.float64]:
        """Weights of the fitted members, ``(members,)``."""
        return np.ones(len(self._members))

    def _fresh(self) -> tuple[TargetPredictor, ...]:
        """The members, not fitted."""
        return (
            GaussianProcessPredictor(GaussianProcessOptions(scaled=300, inducing=600, iterations=40)),
            LinearPredictor(),
            ForestPredictor(ForestOptions(trees=100)),
        )


def _joined(said: Sequence[Scores], weights: NDArray[np.float64]) -> Scores:
    means, stds = (np.stack(part) for part in zip(*said, strict=True))
    mean = np.average(means, axis=0, weights=weights)
    return Scores(mean, np.sqrt(np.average(stds**2 + (means - mean) ** 2, axis=0, weights=weights)))
