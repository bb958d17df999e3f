"""The ensemble, and `quick`, with the shipped predictor's scores as one more member: few labels of a known or a described task."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidTaskError, NotFittedError
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.models.quick import QuickPredictor
from predictors.models.target_predictor import TargetPredictor
from predictors.models.transfer import TransferPredictor
from predictors.predictor import Predictor
from predictors.state import check_training
from predictors.structure_graph import StructureGraph

TRUST = 20
"""What the shipped predictor knows, as a number of measured networks: a handful of them does not tell architectures apart."""


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
        _require_start(self._source, graphs, accuracies)
        return super().fit(graphs, accuracies, seed=seed)


class QuickWarmPredictor(QuickPredictor):
    """`quick` with one more member: it counts as much as all others where `TRUST` networks were measured, more with fewer of them.

    A guided search fits it every round, from the first trainings on. Its networks must state their task.
    """

    name = "quick-warm"
    needs_task = True
    needs_source = True

    def __init__(self, *, source: Predictor | None = None) -> None:
        """Not fitted yet. `source`: a fitted predictor; `predictors.create` gives the shipped one."""
        self._source = source
        super().__init__()

    def _weights(self) -> NDArray[np.float64]:
        *own, source = self._members
        assert isinstance(source, TransferPredictor)
        return np.array([*[source.training_graphs / len(own)] * len(own), TRUST])

    def _fresh(self) -> tuple[TargetPredictor, ...]:
        return (*super()._fresh(), TransferPredictor(self._source))

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Like `QuickPredictor.fit`; errors as for `WarmPredictor.fit`."""
        _require_start(self._source, graphs, accuracies)
        return super().fit(graphs, accuracies, seed=seed)

    @property
    def source_digest(self) -> bytes | None:
        """Digest of the predictor that it starts from."""
        return next(one.source_digest for one in self._members if isinstance(one, TransferPredictor))

    def attach_source(self, source: Predictor) -> None:
        """Give a loaded predictor the one that it starts from; `InvalidPredictorError` if it was fitted with another one."""
        for member in self._members:
            if isinstance(member, TransferPredictor):
                member.attach_source(source)
        self._source = source


def _require_start(source: Predictor | None, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64]) -> None:
    if source is None:
        raise NotFittedError("a warm start needs a fitted predictor to start from; `predictors.create` gives it one")
    check_training(graphs, accuracies)
    if any(graph.task is None for graph in graphs):
        raise InvalidTaskError(
            "a warm start needs to know the task: a name that the shipped predictor knows, or a description"
        )
