"""The predictor of a search: fitted again every round on all candidates that were trained."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from nas.engine.budget import FEWEST_TO_FIT
from nas.engine.plan import SearchPlan
from nas.errors import RunError
from nas.seeds import derive
from nas.study.trial import Trial, results_by_candidate
from predictors import Predictor, StructureGraph
from search_spaces import Candidate

if TYPE_CHECKING:
    from nas.engine.pool import Screened
    from predictors import TaskDescription


@dataclass(eq=False)
class Surrogate:
    """Predicts the accuracy of untrained candidates.

    Attributes:
        predictor: predictor fitted on the trials of `fit`; None if the search has none or there are too few trials.
        screened: candidates that a pool built before, by digest; used where architectures have no masks and come again.
    """

    plan: SearchPlan
    predictor: Predictor | None = None
    screened: "dict[str, Screened | None]" = field(default_factory=dict)
    _graphs: dict[str, StructureGraph] = field(default_factory=dict)

    def fit(self, trials: Sequence[Trial]) -> None:
        """Fit a new predictor on all candidates of these trials."""
        known = results_by_candidate(trials)
        self.predictor = None
        if self.plan.predictor is None or len(known) < FEWEST_TO_FIT:
            return
        import predictors

        graphs = [self._graph(result.candidate) for result in known]
        shares = np.array([self.plan.metric.to_share(result.accuracy) for result in known])
        config = self.plan.config
        self.predictor = predictors.create(config.predictor).fit(
            graphs, shares, seed=derive(config.seed, "fit") % 2**31
        )

    @property
    def fitted(self) -> bool:
        """Whether the predictor learnt from this run."""
        return self.predictor is not None

    @property
    def encode(self) -> Callable[[ir.Model], StructureGraph] | None:
        """Function that reads the structure graph of a network; None if no predictor is used."""
        if self.plan.predictor is None:
            return None
        from predictors import encode

        description = self.description
        return encode if description is None else lambda model: encode(model).on(description)

    @cached_property
    def description(self) -> "TaskDescription | None":
        """Description of this task for a predictor that knows other tasks; None for all other predictors."""
        if not getattr(self.plan.predictor, "needs_task", False):
            return None
        from nas.tasks.description import describe

        return describe(self.plan.task)

    def keep(self, members: "Iterable[Screened]") -> None:
        """Keep the structure graphs of candidates that will be trained, so that `fit` need not encode them again."""
        self._graphs |= {member.digest: member.graph for member in members if member.graph is not None}

    def _graph(self, candidate: Candidate) -> StructureGraph:
        digest = candidate.digest
        if digest not in self._graphs:
            encode = self.encode
            if encode is None:
                raise RunError("a search without a predictor reads no structure graphs")
            self._graphs[digest] = encode(self.plan.space.build(candidate))
        return self._graphs[digest]
