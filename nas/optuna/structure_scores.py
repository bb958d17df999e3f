"""Scores of candidates from their structure: encoded once, and predicted by a predictor that learnt from finished trials."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from nas.engine.budget import FEWEST_TO_FIT
from nas.optuna.trial_space import TrialSpace
from predictors import Predictor, StructureGraph, TaskDescription
from search_spaces import Candidate


@dataclass(eq=False)
class StructureScores:
    """Encodes candidates and fits predictors.

    Attributes:
        space: builds the candidates.
        predictor: name of the predictor.
        task: the task of the networks; with it the shipped predictor answers while few trials are finished.
        reader: function that reads the structure graph of a network; None takes `predictors.encode`.
    """

    space: TrialSpace
    predictor: str
    task: TaskDescription | None = None
    reader: Callable[[ir.Model], StructureGraph] | None = None
    _graphs: dict[str, StructureGraph] = field(default_factory=dict)
    _fitted: tuple[Mapping[str, float], int, Predictor] | None = None

    def encode(self, model: ir.Model) -> StructureGraph:
        """The structure graph of a network, with the task."""
        import predictors

        return (self.reader or predictors.encode)(model).on(self.task)

    def keep(self, candidate: Candidate, graph: StructureGraph) -> None:
        """Remember the structure graph of a candidate whose training will be learnt from."""
        self._graphs[candidate.digest] = graph

    def of(self, candidate: Candidate) -> StructureGraph:
        """The structure graph of a candidate that is or was trained."""
        if candidate.digest not in self._graphs:
            self.keep(candidate, self.encode(self.space.build(candidate)))
        return self._graphs[candidate.digest]

    def fit(self, candidates: Mapping[str, Candidate], shares: Mapping[str, float], seed: int) -> Predictor | None:
        """A predictor that learnt from these candidates; None while there are fewer than `FEWEST_TO_FIT` and no task is known.

        Args:
            candidates: trained candidates by digest.
            shares: how good each is, by digest, from 0 to 1.
            seed: seed of the fit.
        """
        import predictors

        if len(shares) < FEWEST_TO_FIT:
            return None if self.task is None else predictors.load("default").predictor
        if self._fitted is None or self._fitted[:2] != (shares, seed):
            graphs = [self.of(candidates[digest]) for digest in shares]
            new = predictors.create(self.predictor).fit(graphs, np.array(list(shares.values())), seed=seed)
            self._fitted = (dict(shares), seed, new)
        return self._fitted[2]
