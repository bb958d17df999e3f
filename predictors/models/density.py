"""Accuracy from the count of non-zeros alone, by the scaling law ``error = c + a · nnz^−b`` (Rosenfeld et al. 2021, arXiv:2006.10621).

The baseline that a predictor of structure has to beat: it grows with the number of connections and ignores where they lie.
``b`` is searched on a grid and ``a, c ≥ 0`` follow by least squares, so the fit is exact, fast and has no local minima.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from predictors.features.matrix import summary_column
from predictors.predictor import Prediction
from predictors.state import check_training, number, require_fitted
from predictors.structure_graph import StructureGraph

EXPONENTS = np.geomspace(0.02, 4.0, 60)


class ScalingLaw(NamedTuple):
    """``error = floor + scale · exp(−exponent · (log_nnz − centre))`` with residual standard deviation `std`."""

    floor: float
    scale: float
    exponent: float
    centre: float
    std: float
    training_graphs: int


class DensityPredictor:
    """A predictor that fits the scaling law on the feature ``log_nnz``."""

    name = "density"

    def __init__(self) -> None:
        """Not fitted yet."""
        self._law: ScalingLaw | None = None

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Fit the law; `seed` changes nothing."""
        errors = 1.0 - check_training(graphs, accuracies)
        sizes = summary_column(graphs, "log_nnz")
        centre = float(sizes.mean())
        curves = np.exp(np.clip(-EXPONENTS[:, None] * (sizes - centre), -50, 50))
        fits = [_least_squares(curve, errors) for curve in curves]
        best = int(np.argmin([loss for loss, _, _ in fits]))
        loss, floor, scale = fits[best]
        std = float(np.sqrt(loss / max(len(errors) - 3, 1)))
        self._law = ScalingLaw(floor, scale, float(EXPONENTS[best]), centre, std, len(errors))
        return self

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """The law's accuracy, clipped to [0, 1]; the residual standard deviation for every graph."""
        law = require_fitted(self._law, self.name)
        sizes = summary_column(graphs, "log_nnz")
        error = law.floor + law.scale * np.exp(np.clip(-law.exponent * (sizes - law.centre), -50, 50))
        return Prediction(np.clip(1.0 - error, 0.0, 1.0), np.full(len(graphs), law.std))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `ScalingLaw`, each ``()``."""
        law = require_fitted(self._law, self.name)
        return {name: np.asarray(value) for name, value in law._asdict().items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        predictor = cls()
        predictor._law = ScalingLaw(
            floor=number(arrays, "floor", low=0.0),
            scale=number(arrays, "scale", low=0.0),
            exponent=number(arrays, "exponent", low=0.0),
            centre=number(arrays, "centre"),
            std=number(arrays, "std", low=0.0),
            training_graphs=int(number(arrays, "training_graphs", low=2)),
        )
        return predictor


def _least_squares(curve: NDArray[np.float64], errors: NDArray[np.float64]) -> tuple[float, float, float]:
    """Loss, c and a of the best ``c + a · curve`` with both ≥ 0."""
    spread = curve - curve.mean()
    variance = float(spread @ spread)
    scale = max(0.0, float(spread @ errors) / variance) if variance > 1e-12 else 0.0
    floor = float(errors.mean() - scale * curve.mean())
    if floor < 0:
        floor, scale = 0.0, float(curve @ errors / (curve @ curve))
    residual = errors - floor - scale * curve
    return float(residual @ residual), floor, scale
