"""What a search would do, before it does anything: sizes, what is tried first, where the budget goes and how long it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import onnx_ir as ir

from nas.engine.guided.planner import GuidedPlanner
from nas.engine.plain_networks import plain_networks
from nas.engine.plan import SearchPlan
from nas.engine.preflight import preflight
from nas.engine.remaining_time import Pace, RemainingTime, Work, after_search
from nas.engine.search_loop import planner_of
from nas.engine.timed_training import BATCHES, EPOCHS, Timed, timed
from nas.errors import TrainingError, UsageError
from nas.measure.costs import counts
from nas.study.candidate_text import architecture_text
from nas.study.seconds import Seconds
from nas.study.way import Way
from nas.training.methods.registry import create, facts
from nas.verbs.search import sizes
from search_spaces import Candidate, LearnedMask

ROUGHLY = 2.0
"""Cost in trainings of a method that could not be timed."""
SPENT_ON: dict[Way, str] = {
    "reference": "by hand: what an expert would run first",
    "discovery": "discovery: other architectures and methods",
    "evolution": "evolution: children of the best masks",
    "random": "random search",
    "drawn": "drawn masks",
}
SLOW = 3.0
"""Seconds of a short training from which on methods are not timed one by one."""
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a search would do.

    Attributes:
        sizes: the smallest, middle and largest of random candidates.
        plain: sizes of the plain networks, without a mask.
        references: trainings of the first round of a guided search.
        methods: mask methods that the search uses, with their costs in trainings.
        space: what the architectures are drawn from.
        budget: what the trainings are spent on.
        seconds: estimated time of the whole run.
        how: how the time was estimated.
    """

    sizes: Sequence[Row]
    plain: Sequence[Row]
    references: Sequence[Row]
    methods: Sequence[Row]
    space: Sequence[Row]
    budget: Sequence[Row]
    seconds: float
    how: str

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {name: list(value) if isinstance(value, list) else value for name, value in vars(self).items()}


def outlook(plan: SearchPlan) -> Outlook:
    """The outlook on a search. A few batches are trained, to measure their time; nothing is written."""
    planner = planner_of(plan, RemainingTime(Seconds()))
    guided = planner if isinstance(planner, GuidedPlanner) else None
    times = _Times(plan, guided, planner.length)
    first = [] if guided is None else [candidate for candidate, _ in guided.references()]
    begun = sum(times.cost(candidate) for candidate in first)
    rounds = dict(planner.ahead(begun))
    if first:
        rounds = {"reference": begun, **rounds}
    return Outlook(
        sizes=sizes(plan),
        plain=[_plain(plan, candidate) for candidate in times.plain],
        references=[_reference(plan, candidate, times) for candidate in first],
        methods=[_method(name, times) for name in (times.methods or [plan.config.drawn_method])],
        space=_space(plan.space.options()),
        budget=[_spent(way, trainings, plan) for way, trainings in rounds.items()],
        seconds=round(times.seconds(rounds), 1),
        how=times.how,
    )


class _Times:
    """Timed trainings of the plain networks.

    Attributes:
        plain: the plain networks; a random architecture if the space has none.
        methods: the time of each method of a guided search on the first of them; None if it was not measured.
    """

    def __init__(self, plan: SearchPlan, guided: GuidedPlanner | None, length: float) -> None:
        """Measures them; `length` is that of a round, in trainings."""
        self._plan, self._guided, self._length = plan, guided is not None, length
        self.plain = plain_networks(plan.space) or [_any(plan)]
        static = create("static")
        models = [plan.space.build(candidate) for candidate in self.plain]
        timed(plan, models[0], static)  # the first training loads libraries
        found = [timed(plan, model, static) for model in models]
        self._first, self._static = found[0], mean(one.seconds for one in found)
        self.methods: dict[str, Timed | None] = {}
        if guided is not None:
            keep = guided.keep.most(self.plain[0]) or 1
            self.methods = {name: self._method(name, models[0], keep) for name in guided.methods}

    def _method(self, name: str, model: ir.Model, keep: int) -> Timed | None:
        """The time of a method; None if it cannot train that network, or if that takes too long here."""
        if self._first.took > SLOW:
            return None
        try:
            return timed(self._plan, model, create(name), min(1.0, keep / counts(model)["weights"]))
        except (UsageError, TrainingError):
            return None

    def cost(self, candidate: Candidate) -> float:
        """Expected cost of a training of the search, in trainings."""
        if not isinstance(candidate.mask, LearnedMask):
            return 1.0
        found = self.methods.get(candidate.mask.method)
        return ROUGHLY if found is None else found.cost

    def seconds(self, rounds: Mapping[Way, float]) -> float:
        """Estimated seconds of the whole run, which spends so many trainings on each way of searching."""
        plan = self._plan
        speeds = [one.speed for one in self.methods.values() if one is not None]
        slower = mean(speeds) / self._first.speed if speeds else 1.0
        remaining = RemainingTime(Seconds(), {None: Pace(1.0, self._static)})
        for way in rounds:
            learned = way in ("reference", "discovery")
            remaining.paces[way] = Pace(1.0, self._static * (slower if learned else 1.0))
        work = Work(rounds=rounds, plain=after_search(plan.config, kept=self._guided).plain)
        found = remaining.of(work, round_=self._length, guided=plan.predictor is not None)
        return found or 0.0

    @property
    def how(self) -> str:
        """How the time was estimated."""
        several = any(self.methods.values())
        what = "Each method on a plain network" if several else "A plain network"
        rest = " and a few seconds for every choice by the predictor" if self._plan.predictor is not None else ""
        few, many = BATCHES
        return (
            f"{what} was trained on {few} and on {many} batches for up to {EPOCHS} epochs, and the time was scaled to whole trainings, "
            f"with those for the report{rest}. This is right within a factor of about two while the machine is as busy as now"
        )


def _any(plan: SearchPlan) -> Candidate:
    return plan.space.dense(preflight(plan).members[0].proposal.candidate)


def _plain(plan: SearchPlan, candidate: Candidate) -> Row:
    found = counts(plan.space.build(candidate))
    names = {"parameters": "params", "weights": "weights", "non-zeros": "nnz"}
    return {"plain network": architecture_text(candidate.to_json())} | {
        name: int(found[cost]) for name, cost in names.items()
    }


def _reference(plan: SearchPlan, candidate: Candidate, times: _Times) -> Row:
    mask = candidate.mask
    method, keep = "none: a small dense network", 0
    if isinstance(mask, LearnedMask):
        method, keep = mask.method, mask.keep
    return {
        "architecture": architecture_text(candidate.to_json()),
        "method": method,
        "non-zeros": keep or int(counts(plan.space.build(candidate))["nnz"]),
        "trainings": times.cost(candidate),
    }


def _method(name: str, times: _Times) -> Row:
    found = times.methods.get(name)
    cost = 1.0 if not times.methods else None if found is None else found.cost
    return {"method": name, "finds its mask": facts(name)["mask"], "trainings": cost}


def _space(options: Mapping[str, object], space: str = "") -> list[Row]:
    """What is drawn: names and ranges of the options of a space, or of several."""
    rows: list[Row] = []
    for name, value in options.items():
        if isinstance(value, Mapping):
            rows += _space(value, f"{name}: ")
        elif isinstance(value, list | tuple) and value:
            between = len(value) == 2 and all(isinstance(one, int | float) for one in value)
            text = (" to " if between else ", ").join(map(str, value))
            rows.append({"drawn from": space + name.replace("_", " "), "values": text})
    return rows


def _spent(way: Way, trainings: float, plan: SearchPlan) -> Row:
    return {
        "spent on": SPENT_ON[way],
        "trainings": round(trainings, 2),
        "epochs": round(trainings * plan.training.epochs),
    }
