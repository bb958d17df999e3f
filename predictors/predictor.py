"""The interface of a predictor: structure graphs in, accuracy with its uncertainty out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from predictors.structure_graph import StructureGraph


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted accuracies.

    Attributes:
        mean: float64 ``(networks,)``, in the unit of the fitted accuracies (0 to 1).
        std: float64 ``(networks,)``, standard deviation of the predictor's uncertainty, ≥ 0.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


class Predictor(Protocol):
    """Learns accuracy from structure. Same data and seed on one machine: the same predictor, bit for bit."""

    name: str

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from measured accuracies ``(networks,)`` in [0, 1]; at least two networks."""

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Score every graph; `NotFittedError` before `fit`."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fitted state as named arrays: all that `predictors.save` writes."""

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
