"""The ensemble with the shipped predictor's scores as one more member: few labels of a known or a described task."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidTaskError
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.state import check_training
from predictors.structure_graph import StructureGraph


class WarmPredictor(EnsemblePredictor):
    """As the ensemble; its networks must tell their task, or the shipped predictor would not know what it is asked."""

    name = "warm"
    needs_task = True

    def __init__(self, options: EnsembleOptions | None = None) -> None:
        """Not fitted yet."""
        from predictors.library.persistence import shipped

        super().__init__(options or EnsembleOptions(), source=shipped().predictor)

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """As `EnsemblePredictor.fit`; `InvalidTaskError` where a network tells no task."""
        check_training(graphs, accuracies)
        if any(graph.task is None for graph in graphs):
            raise InvalidTaskError(
                "a warm start needs to know the task: a name that the shipped predictor knows, or a description"
            )
        return super().fit(graphs, accuracies, seed=seed)
