"""The pool of a round: candidates that are built, counted, checked against the constraints and scored, but not trained."""

import time
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from nas.measure.costs import COSTS, COUNTED, counts, measure_all
from nas.study.constraints import Constraint, on_costs
from nas.study.objectives import Objective, fronts, losses, main_of, values
from nas.study.trial import Proposal, Score
from predictors import Predictor, StructureGraph, largest_std
from search_spaces import Candidate, SearchSpace


@dataclass(frozen=True, eq=False)
class Screened:
    """A feasible candidate.

    Attributes:
        proposal: the candidate and its sampler's notes.
        metrics: counts, and other costs that constraints or objectives name.
        graph: structure graph for the predictor; None if no predictor is used.
    """

    proposal: Proposal
    metrics: dict[str, float]
    graph: StructureGraph | None

    @property
    def digest(self) -> str:
        """The digest of the candidate."""
        return self.proposal.candidate.digest


class Pool:
    """Collects feasible candidates without repeats and scores them.

    Args:
        space: space that builds the candidates.
        constraints: constraints on candidates; constraints on metrics are checked after the training, not here.
        objectives: objectives that define the fitness of a candidate.
        predictor: fitted predictor, or None; without a predictor all candidates have the same fitness.
        encode: function that reads the structure graph of a network; None if the search uses no predictor.
        taken: digests of candidates that were already trained.
        finish: function that turns a network into its exported form, to measure its bytes and latency.
        screened: results of earlier pools of the same search by digest, None for a refused candidate: these networks are not built
            again, and results are added. None: nothing is kept.
    """

    def __init__(
        self,
        space: SearchSpace,
        constraints: Sequence[Constraint],
        objectives: Sequence[Objective],
        *,
        predictor: Predictor | None = None,
        encode: Callable[[ir.Model], StructureGraph] | None = None,
        taken: Iterable[str] = (),
        finish: Callable[[ir.Model, Candidate], ir.Model] = lambda model, candidate: onnx_graph.shrink(model),
        screened: MutableMapping[str, Screened | None] | None = None,
    ) -> None:
        """Creates an empty pool."""
        self.space = space
        self.constraints: Sequence[Constraint] = on_costs(constraints)
        self.objectives = tuple(objective for objective in objectives if objective.known_before_training)
        self.members: list[Screened] = []
        self.refused = 0
        self.smallest: dict[str, float] = {}
        self.seconds = 0.0
        self._predictor, self._encode, self._finish = predictor, encode, finish
        self._seen = set(taken)
        self._screened = screened
        self._means, self._stds = np.zeros(0), np.zeros(0)

    def __len__(self) -> int:
        """Number of feasible candidates."""
        return len(self.members)

    def offer(self, proposal: Proposal) -> bool:
        """Build and check a candidate; True if it is feasible and new, and therefore now a member."""
        digest = proposal.candidate.digest
        if digest in self._seen:
            self.refused += 1
            return False
        self._seen.add(digest)
        start = time.perf_counter()
        member = self._known(proposal)
        self.seconds += time.perf_counter() - start
        if member is None:
            self.refused += 1
            return False
        self.members.append(member)
        return True

    def _known(self, proposal: Proposal) -> Screened | None:
        """`_screen`, or its earlier result."""
        if self._screened is None:
            return self._screen(proposal)
        digest = proposal.candidate.digest
        try:
            found = self._screened[digest]
        except KeyError:
            found = self._screened[digest] = self._screen(proposal)
        return None if found is None else replace(found, proposal=proposal)

    def _screen(self, proposal: Proposal) -> Screened | None:
        model = self.space.build(proposal.candidate)
        metrics = counts(model)
        for name, value in metrics.items():
            self.smallest[name] = min(value, self.smallest.get(name, value))
        if metrics["nnz"] == 0:  # no input reaches an output: nothing to train
            return None
        if any(c.excess(metrics) > 0 for c in self.constraints if c.metric in metrics):
            return None
        further = measure_all(self._further_costs(), model, lambda: self._finish(model, proposal.candidate))
        for name, value in further.items():
            self.smallest[name] = min(value, self.smallest.get(name, value))
        metrics |= further
        if any(c.excess(metrics) > 0 for c in self.constraints):
            return None
        return Screened(proposal, metrics, self._encode(model) if self._encode else None)

    def _further_costs(self) -> list[str]:
        """Names of the costs in constraints and objectives that are not counted ones, each once."""
        named = [*(c.metric for c in self.constraints), *(o.name for o in self.objectives if not o.main)]
        return [name for name in dict.fromkeys(named) if name in COSTS and name not in COUNTED]

    @property
    def scores(self) -> list[Score] | None:
        """The score of every member for display, in order, on the predictor's scale from 0 to 1; None without a predictor.

        A standard deviation that is impossible for its mean is replaced by the largest possible one.
        """
        if self._predictor is None:
            return None
        self._predict()
        stated = np.minimum(self._stds, largest_std(self._means))
        return [Score(float(mean), float(std)) for mean, std in zip(self._means, stated, strict=True)]

    def optimistic(self, optimism: float) -> NDArray[np.float64]:
        """Predicted mean of every member plus `optimism` standard deviations ``(members,)``; needs a fitted predictor.

        The standard deviation is the predictor's own, without the limit in `scores`. It can be larger where the predictor
        knows little, so that such candidates are tried.
        """
        self._predict()
        return np.asarray(self._means + optimism * self._stds, dtype=np.float64)

    def _predict(self) -> None:
        """Predict the members that have no prediction yet."""
        new = self.members[len(self._means) :]
        if self._predictor is None or not new:
            return
        start = time.perf_counter()
        prediction = self._predictor.predict([member.graph for member in new if member.graph is not None])
        self._means = np.concatenate([self._means, prediction.mean])
        self._stds = np.concatenate([self._stds, prediction.std])
        self.seconds += time.perf_counter() - start

    def fitness(self, optimism: float = 0.0) -> NDArray[np.float64]:
        """Fitness of every member ``(members,)``, higher is better; zeros without a fitted predictor.

        With one objective: the predicted mean plus `optimism` standard deviations. With several: minus the rank in
        non-dominated sorting; the predicted accuracy orders the members of a front.
        """
        if self._predictor is None or not self.members:
            return np.zeros(len(self.members))
        upper = self.optimistic(optimism)
        if len(self.objectives) == 1:
            return upper
        metric = main_of(self.objectives)
        rows = [
            values(self.objectives, metric.from_share(u), m.metrics) for u, m in zip(upper, self.members, strict=True)
        ]
        within = (upper - upper.min()) / (np.ptp(upper) + 1e-12) * 0.5
        return np.asarray(within - fronts(losses(self.objectives, rows)), dtype=np.float64)
