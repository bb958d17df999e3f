"""The ensemble with the shipped predictor's scores as one more member: few labels of a known or a described task."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidTaskError, NotFittedError
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.predictor import Predictor
from predictors.state import check_training
from predictors.structure_graph import StructureGraph


class WarmPredictor(EnsemblePredictor):
    """The ensemble with one more member. Its networks must state their task, which the shipped predictor needs to know."""

    name = "warm"
    needs_task = True
    needs_source = True

    def __init__(self, options: EnsembleOptions | None = None, *, source: Predictor | None = None) -> None:
        """Not fitted yet. `source`: a fitted predictor; `predictors.create` gives the shipped one."""
        super().__init__(options or EnsembleOptions(), source=source)

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Like `EnsemblePredictor.fit`.

        Raises:
            NotFittedError: there is no predictor to start from.
            InvalidTaskError: a network does not state its task.
        """
        if self._source is None:
            raise NotFittedError(
                "a warm start needs a fitted predictor to start from; `predictors.create` gives it one"
            )
        check_training(graphs, accuracies)
        if any(graph.task is None for graph in graphs):
            raise InvalidTaskError(
                "a warm start needs to know the task: a name that the shipped predictor knows, or a description"
            )
        return super().fit(graphs, accuracies, seed=seed)
