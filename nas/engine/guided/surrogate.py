"""The predictor of a guided search: fitted again every round on plans, learned masks and drawn masks of the run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from nas.engine.expected import expected
from nas.engine.plan import SearchPlan
from nas.engine.recent_networks import RecentNetworks
from nas.seeds import derive
from nas.study.trial import Trial
from predictors import Origin, OriginsPredictor, Prediction, Predictor, StructureGraph
from search_spaces import Candidate, InheritedMask, LearnedMask, MaskRecipe, Ticket

if TYPE_CHECKING:
    from predictors import TaskDescription

BITS = 2**27
"""Most mask bits that are encoded at once, to bound the memory."""
FEWEST_TO_FIT = 6
"""Smallest number of measured networks on which a predictor is fitted; with fewer the shipped one answers."""


@dataclass(eq=False)
class GuidedSurrogate:
    """Predicts what plans and masks will reach.

    Attributes:
        predictor: fitted on the trials of `fit`, or the shipped one while there are few; None if the search uses none.
        fitted: whether the predictor learnt from this run.
        networks: builds the networks that are only read.
        fitting: inside this context the predictor learns, so that the time is counted.
    """

    plan: SearchPlan
    predictor: Predictor | None = None
    fitted: bool = False
    networks: RecentNetworks = field(init=False)
    fitting: Callable[[], AbstractContextManager[None]] = nullcontext
    _graphs: dict[str, StructureGraph] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Nothing is built yet."""
        self.networks = RecentNetworks(self.plan.space)

    def fit(self, trials: Sequence[Trial]) -> None:
        """Fit a new predictor on these trials; it learns each kind of question when it is first asked."""
        self.fitted = False
        if self.plan.predictor is None:
            self.predictor = None
            return
        import predictors

        asked = self._examples(trials)
        graphs = [graph for graph, _ in asked]
        if len(graphs) < FEWEST_TO_FIT:
            self.predictor = self._shipped
            return
        shares = np.array([self.plan.metric.to_share(accuracy) for _, accuracy in asked])
        config = self.plan.config
        fresh = OriginsPredictor(lambda _: predictors.create(config.predictor))
        self.predictor = fresh.fit_when_asked(graphs, shares, seed=derive(config.seed, "fit") % 2**31)
        self.fitted = True

    def _examples(self, trials: Sequence[Trial]) -> list[tuple[StructureGraph, float]]:
        """What was asked, and what is expected after the measurements.

        A plan counts once, with the mean of its runs; every mask that was found counts too.
        """
        plans: dict[str, list[float]] = {}
        hopes = expected(self.plan, trials)
        found: list[tuple[StructureGraph, float]] = []
        candidates: dict[str, Candidate] = {}
        for trial in trials:
            if trial.accuracy is None:
                continue
            reached = hopes.get(trial.number, trial.accuracy)
            if trial.ticket is not None:
                found.append((self.graph_of(ticket_of(trial)), reached))
            if not isinstance(trial.candidate.mask, InheritedMask):
                candidates[trial.digest] = trial.candidate
                plans.setdefault(trial.digest, []).append(reached)
        found += [(self.graph_of(candidates[digest]), float(np.mean(values))) for digest, values in plans.items()]
        return found

    def predict(self, candidates: Sequence[Candidate]) -> Prediction:
        """Predictions for candidates; what this run has not measured yet, such as dense networks, the shipped predictor answers."""
        inherited = [
            place for place, one in enumerate(candidates) if isinstance(one.mask, InheritedMask) and not one.edits
        ]
        graphs = self._together([candidates[place] for place in inherited])
        found = dict(zip(inherited, graphs, strict=True))
        return self._answers([found.get(place) or self.graph_of(one) for place, one in enumerate(candidates)])

    def _together(self, candidates: Sequence[Candidate]) -> list[StructureGraph]:
        """Graphs of inherited masks, those of one architecture encoded at once.

        They are not kept: their last digits depend on the other masks of the call, and not on the candidate alone.
        """
        from predictors import encode_masks

        groups: dict[str, list[int]] = {}
        for place, one in enumerate(candidates):
            groups.setdefault(replace(one, mask=MaskRecipe()).digest, []).append(place)
        found: dict[int, StructureGraph] = {}
        for places in groups.values():
            model = self.networks.build(self.plan.space.dense(candidates[places[0]]))
            whole = onnx_graph.masks(model)
            at_once = max(1, BITS // sum(mask.size for mask in whole.values()))
            for part in (places[start : start + at_once] for start in range(0, len(places), at_once)):
                several = [_masks(candidates[place], whole) for place in part]
                masks = {name: np.stack([one[name] for one in several]) for name in whole}
                found |= zip(part, encode_masks(model, masks), strict=True)
        return [found[place].on(self.description).of_origin(origin_of(one)) for place, one in enumerate(candidates)]

    def predict_masks(self, ticket: Candidate, model: ir.Model, masks: Mapping[str, NDArray[np.bool_]]) -> Prediction:
        """Predictions for many masks of one network, all of the origin of `ticket`; `model` is the network without a mask."""
        from predictors import encode_masks

        origin = origin_of(ticket)
        return self._answers([graph.on(self.description).of_origin(origin) for graph in encode_masks(model, masks)])

    def screen(self, model: ir.Model, masks: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.float64]:
        """A few features of many masks of one network, see `predictors.screen`."""
        from predictors import screen

        return screen(model, masks, self.description)

    def _answers(self, graphs: Sequence[StructureGraph]) -> Prediction:
        assert self.predictor is not None
        learnt = getattr(self.predictor, "questions", None)
        known = [learnt is None or (graph.origin or Origin()).question in learnt for graph in graphs]
        parts = []
        for measured in (True, False):
            rows = [row for row, one in enumerate(known) if one == measured]
            if rows:
                answers = self.predictor if measured else self._shipped
                several = [graphs[row] for row in rows]
                self._learn_asked(answers, several)
                parts.append((rows, answers.predict(several)))
        return Prediction.merged(parts, len(graphs))

    def _learn_asked(self, predictor: Predictor, graphs: Sequence[StructureGraph]) -> None:
        """Let the predictor of this run learn the questions that these networks ask for the first time."""
        if self.fitted and predictor is self.predictor and isinstance(predictor, OriginsPredictor):
            with self.fitting():
                for graph in {(graph.origin or Origin()).question: graph for graph in graphs}.values():
                    predictor.answering(graph)

    def graph_of(self, candidate: Candidate) -> StructureGraph:
        """The structure graph of a candidate, with the task and the origin of its mask."""
        learned = isinstance(candidate.mask, LearnedMask)
        # Plans of one architecture have one graph.
        built = replace(candidate, mask=MaskRecipe()) if learned else candidate
        if built.digest not in self._graphs:
            from predictors import encode

            self._graphs[built.digest] = encode(self.networks.build(built)).on(self.description)
        return self._graphs[built.digest].of_origin(origin_of(candidate))

    @cached_property
    def _shipped(self) -> Predictor:
        """The predictor of the package; read once."""
        import predictors

        return predictors.load("default").predictor

    @cached_property
    def description(self) -> "TaskDescription":
        """Description of the task of the search."""
        from nas.tasks.description import describe

        return describe(self.plan.task)


def _masks(candidate: Candidate, whole: Mapping[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    """The inherited masks of a candidate by name of the weight; `whole` has their shapes."""
    assert isinstance(candidate.mask, InheritedMask)
    return Ticket(candidate.mask.ticket, candidate.mask.weights).masks(whole)


def origin_of(candidate: Candidate) -> Origin:
    """What a predictor is told of a candidate's mask and weights."""
    from nas.training.methods.registry import METHODS

    mask = candidate.mask
    if isinstance(mask, LearnedMask):
        return Origin(method=mask.method, family=METHODS.load(mask.method).kind, nnz=mask.keep)
    if isinstance(mask, InheritedMask):
        method = mask.method or None
        family = None if method is None else METHODS.load(method).kind
        return Origin(method=method, family=family, weights="own" if mask.parents else "fresh")
    return Origin(method="static", weights="fresh")


def ticket_of(trial: Trial) -> Candidate:
    """The mask that a training ended with, as a candidate that inherits it."""
    assert trial.ticket is not None
    source = trial.candidate.mask
    method = "" if not isinstance(source, LearnedMask | InheritedMask) else source.method
    mask = InheritedMask(
        ticket=trial.ticket.text,
        weights=trial.ticket.size,
        method=method,
        parents=(f"{trial.digest}-{trial.repeat}",),
    )
    return replace(trial.candidate, mask=mask, edits=())
