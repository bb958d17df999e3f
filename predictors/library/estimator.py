"""The predictors as a scikit-learn regressor: for its cross-validation and grids."""

from collections.abc import Sequence
from typing import Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from predictors.library.batch import ModelLike
from predictors.library.fitted import FittedPredictor, Task
from predictors.library.fitting import fit

Floats = NDArray[np.float64]


class StructureRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Accuracy from structure, with scikit-learn's conventions; `score` is R².

    Encode the networks first (`predictors.encode`) if they are used more than once: `X` may hold paths of ONNX files and
    models, which are encoded at every call, or structure graphs.

    Args:
        predictor: a name in `predictors.PREDICTORS`; None as for `predictors.fit`.
        task: task of the networks, as for `predictors.fit`.
        random_state: seed of everything random, an integer; the same number gives the same predictor.
    """

    def __init__(self, predictor: str | None = None, *, task: Task = None, random_state: int = 0) -> None:
        """Store the arguments; as scikit-learn asks, they are checked by `fit`."""
        self.predictor = predictor
        self.task = task
        self.random_state = random_state

    def fit(self, X: "Sequence[ModelLike]", y: ArrayLike) -> Self:
        """Learn from accuracies ``(networks,)`` in [0, 1]; errors as in `predictors.fit`."""
        self.fitted_: FittedPredictor = fit(
            list(X), y, task=self.task, predictor=self.predictor, seed=self.random_state
        )
        return self

    @overload
    def predict(self, X: "Sequence[ModelLike]", return_std: Literal[False] = False) -> Floats: ...

    @overload
    def predict(self, X: "Sequence[ModelLike]", return_std: Literal[True]) -> tuple[Floats, Floats]: ...

    def predict(self, X: "Sequence[ModelLike]", return_std: bool = False) -> Floats | tuple[Floats, Floats]:
        """Mean accuracies ``(networks,)``, with their standard deviations if asked for."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        said = self.fitted_.predict(list(X))
        return (said.mean, said.std) if return_std else said.mean

    def predict_interval(self, X: "Sequence[ModelLike]") -> Floats:
        """Bounds of the 90 % intervals, ``(networks, 2)``."""
        said = self.fitted_.predict(list(X))
        return np.stack([said.low, said.high], axis=1)
