"""Plans the rounds of a guided search. Every round depends only on the configuration and the earlier trials.

1. References: what an expert would run first, for at most `REFERENCES` of the budget, or `DISCOVERY` where there is one architecture.
2. Discovery, until `DISCOVERY` of the budget is spent: plans of architecture and method, those that the predictor expects most of.
   They are bred for `GENERATIONS` by its answers alone, before any of them is trained, and are trained for `SHORT` of a training
   first. One place of a round goes to the leading plan: twice as long as before, as long as that makes it better and the budget lasts
   (successive halving, arXiv:1502.07943), else, after `AGAIN` of the budget, with another seed, as an expert would.
3. Evolution: children of the best masks, which inherit weights and are trained for a part of a training.

Costs of a learned mask other than its non-zeros are known only after its training. Under bounds on them, plans come back with the number of
weights that suits what was measured, and each learned mask has a child that is fitted to the bounds (`fitting`).
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

import onnx_graph
from nas.engine.acquisition import scalarised
from nas.engine.budget import spent
from nas.engine.expected import expected
from nas.engine.guided import proposals, references
from nas.engine.guided.broods import Parent
from nas.engine.guided.first_look import extended, plan_table
from nas.engine.guided.fitting import fitted
from nas.engine.guided.surrogate import GuidedSurrogate
from nas.engine.keep import KeepRule, was_learned
from nas.engine.leaders import feasible, ranked
from nas.engine.network_files import NetworkFiles
from nas.engine.plain_networks import plain_networks
from nas.engine.plan import SearchPlan
from nas.engine.planner import RoundPlan
from nas.engine.pool import Screened
from nas.engine.remaining_time import RemainingTime
from nas.engine.round_training import CHILD_SHARE
from nas.exporters.onnx_export import as_exported
from nas.measure.costs import COSTS, COUNTED, counts, measure_all
from nas.seeds import generator
from nas.study.config import AUTO
from nas.study.constraints import on_costs
from nas.study.trial import CandidateResult, Proposal, Score, Trial, results_by_candidate
from nas.study.way import Way
from nas.training.methods.method import MethodError, begin
from nas.training.methods.registry import create
from predictors import largest_std
from search_spaces import LONGEST, Candidate, LearnedMask

REFERENCES, AGAIN, DISCOVERY = 0.25, 0.5, 0.9
"""Shares of the budget after which references end, the leading plan is run again in every round, and masks are evolved."""
AT_ONCE = 3.0
"""Most rounds that one long training is worth: what a kill loses, and how late a time limit is noticed."""
ROUNDS, FEWEST = 8, 4.0
"""Least number of rounds, unless a round would have fewer trainings than this: a predictor that learns often chooses better."""
SHORT = 0.5
"""Length of a plan's first training, as a share of a whole one."""
LOOKED_AT = 0.5
"""Share of new plans whose networks the predictor sees."""
AT_RANDOM = 0.5
"""Share of these that is taken at random. What the predictor says of them tells, by a few facts about each plan, which others it sees."""
GENERATIONS = 2
"""Generations of plans that are bred in a round by the predictor's answers."""
OPTIMISM = (0.0, 0.3)
"""Standard deviations added to the predicted mean, in turn for each choice. A plan of which nothing is known costs whole trainings."""
TOURNAMENT = 0.25
"""Share of the pool from which every choice but the first is made, so that the plans of a round differ."""
MORE = 1.1
"""Least factor by which a plan's number of weights is raised when its network costs less than it may."""
PATIENCE = 20
"""Proposals for each wanted one; a small space may have no more."""
BROOD, BITS = 800, 2**30
"""Children for each one that is trained, and most bits of all masks of a brood: both bound the time."""
CLOSELY = 16
"""Children that are looked at closely for each one that is trained."""


@dataclass(eq=False)
class GuidedPlanner:
    """Plans the rounds of a guided search."""

    search: SearchPlan
    surrogate: GuidedSurrogate
    remaining: RemainingTime
    clock: Callable[[], float] = time.perf_counter
    networks: NetworkFiles | None = None
    """The trained networks that the run keeps; without them no mask is evolved."""
    keep: KeepRule = field(init=False)
    _metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    _proposed: int = 0
    """Number of proposals for this round, with those that were refused."""
    _screened: dict[str, Score] = field(default_factory=dict)
    """Scores of the candidates that the predictor of this round has seen, by digest, on its own scale."""

    def __post_init__(self) -> None:
        """Make the rule for the number of weights to keep."""
        search = self.search
        self.surrogate.fitting = lambda: self.remaining.fitting(self.clock, more=True)
        self.keep = KeepRule(
            self.surrogate.networks,
            on_costs(search.constraints),
            lambda model, candidate: as_exported(model, search.task, candidate),
            spread=any(goal.name in COSTS for goal in search.objectives),
            further=[goal.name for goal in search.objectives if goal.name in COSTS],
        )

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that are chosen from."""
        method = self.search.config.method
        return references.METHODS if method == AUTO else (method,)

    def plan(self, round_: int, trials: Sequence[Trial]) -> RoundPlan:
        """The round's candidates, given the trials of all earlier rounds; empty if there are no more candidates."""
        budget = self.search.config.trainings
        left = budget - spent(trials)
        if not trials:
            return self._round(round_, self.references(), "reference")
        self._learn_costs(trials)
        self.fit(trials)
        rng = generator(self.search.config.seed, "guided", round_)
        parents = self._parents(trials)
        if parents and spent(trials) >= DISCOVERY * budget:
            return self._evolution(round_, trials, parents, left, rng)
        found = self._discovery(round_, trials, left, rng)
        return found if found.chosen or not parents else self._evolution(round_, trials, parents, left, rng)

    def ahead(self, done: float) -> Mapping[Way, float]:
        """Trainings that are spent on each way of searching after the first `done` ones, those of the references included."""
        budget = self.search.config.trainings
        ahead: dict[Way, float] = {"discovery": max(0.0, DISCOVERY * budget - done)}
        return ahead | {"evolution": max(0.0, budget - done - ahead["discovery"])}

    def _learn_costs(self, trials: Sequence[Trial]) -> None:
        """Correct the estimates of costs; those of candidates that are not trained yet change."""
        self.keep.learn(trials)
        self._metrics.clear()

    def fit(self, trials: Sequence[Trial]) -> None:
        """Fit the predictor again and count the time."""
        self._screened.clear()
        self._proposed = 0
        with self.remaining.fitting(self.clock):
            self.surrogate.fit(trials)

    def references(self) -> list[tuple[Candidate, int]]:
        """The first round: what an expert would run first, each with its repeat number.

        On every plain network the method of which the shipped predictor expects most, small dense networks, and then further methods that
        may be as good, as long as their share of the budget lasts.
        """
        space, budget = self.search.space, self.search.config.trainings
        small = references.small(space, self.keep)
        pruned = [one for one in references.pruned(space, self.keep, self.methods) if self._possible(one[1])]
        first, further = self._by_promise(pruned)
        chosen, cost, most = [*first, *small], float(2 * len(first) + len(small)), self._share_by_hand * budget
        for one in further:
            cost += 2
            if cost > most:
                break
            chosen.append(one)
        if not chosen:
            several = self._plans([], set(), PATIENCE, generator(self.search.config.seed, "guided"))
            chosen = [one for one in several if self._possible(one)][:4]
        return [(one, 0) for one in chosen]

    @property
    def _share_by_hand(self) -> float:
        """Share of the budget for references: all that discovery has where there is one architecture, such as a model of the user."""
        constant: frozenset[str] = getattr(self.search.space, "constant_genes", frozenset())
        plain = plain_networks(self.search.space)
        return DISCOVERY if plain and all(set(one.architecture) <= constant for one in plain) else REFERENCES

    def _by_promise(self, pruned: Sequence[tuple[int, Candidate]]) -> tuple[list[Candidate], list[Candidate]]:
        """The most promising plan for every plain network, and the others that may be as good; without a predictor in their order.

        Each plan comes with the number of its plain network.
        """
        self.fit([])
        plans = [one for _, one in pruned]
        mean, std = np.zeros(len(plans)), np.zeros(len(plans))
        if self.surrogate.predictor is not None and plans:
            mean, std = self._scores(plans)
        first: dict[int, int] = {}
        order = np.argsort(-mean, kind="stable").tolist()
        for place in order:
            first.setdefault(pruned[place][0], place)
        least = max((mean[place] for place in first.values()), default=0.0)
        further = [place for place in order if place not in first.values() and mean[place] + std[place] >= least]
        return [plans[place] for place in first.values()], [plans[place] for place in further]

    def _discovery(self, round_: int, trials: Sequence[Trial], left: float, rng: np.random.Generator) -> RoundPlan:
        """The most promising new plans, and the leading plan, longer or again."""
        budget, leaders = self.search.config.trainings, self._leaders(trials)
        most = DISCOVERY * budget - spent(trials) if self._parents(trials) else left
        wanted = min(self.length, most)
        known = {proposals.niche(trial.candidate) for trial in trials if not self.keep.broken(trial)}
        pool = self._revised(leaders, trials)
        known |= {proposals.niche(one) for one in pool}
        pool += self._bred([one.candidate for one in leaders], known, rng)
        again = self._again(leaders, trials, most)
        reserved = 0.0 if again is None else self._cost(again, trials)
        chosen: list[tuple[Candidate, int]] = [(child, 0) for child in self._fitted(trials)]
        cost = reserved + CHILD_SHARE * len(chosen)
        for candidate in filter(self._possible, self._best(pool, rng)):
            cost += self._cost(candidate, trials)
            if chosen and cost > wanted:
                break
            chosen.append((candidate, 0))
        if again is not None:
            chosen.append((again, sum(trial.digest == again.digest for trial in trials)))
        return self._round(round_, chosen, "discovery", len(pool))

    def _again(self, leaders: Sequence[CandidateResult], trials: Sequence[Trial], most: float) -> Candidate | None:
        """The leading plan: with more weights if it is clear that it may keep them, else twice as long, else with another seed.

        None if that has to wait. It costs at most `most` trainings, and at most `AT_ONCE` rounds. A plan that leads at less than its
        longest training is not trained still longer.
        """
        found = next((one.candidate for one in leaders if isinstance(one.candidate.mask, LearnedMask)), None)
        if found is None or not isinstance(found.mask, LearnedMask):
            return None
        known = {trial.digest for trial in trials}
        richer = _of_length(self._with_more(found), max(1.0, found.mask.length))
        longer = _of_length(found, _next_length(found))
        for one in (richer, longer):
            if one.digest not in known and self._cost(one, trials) < min(most, AT_ONCE * self.length):
                return one
        late = spent(trials) >= AGAIN * self.search.config.trainings
        return found if late and self._cost(found, trials) < most else None

    def _revised(self, leaders: Sequence[CandidateResult], trials: Sequence[Trial]) -> list[Candidate]:
        """Plans that broke a bound, with fewer weights, and leading plans far below their bounds, with more."""
        if not self.keep.estimates or self.keep.spread:
            return []
        several = [trial.candidate for trial in trials if self.keep.broken(trial)]
        several = [self.keep.revised(one) for one in several if isinstance(one.mask, LearnedMask)]
        leading = [one.candidate for one in leaders if isinstance(one.candidate.mask, LearnedMask)]
        several += [self._with_more(one) for one in leading[: proposals.PARENTS]]
        known = {
            _of_length(trial.candidate, 1.0).digest for trial in trials if isinstance(trial.candidate.mask, LearnedMask)
        }
        return list({one.digest: one for one in several if _of_length(one, 1.0).digest not in known}.values())

    def _with_more(self, candidate: Candidate) -> Candidate:
        """The plan with the weights that it may keep by what is known now, if they are clearly more."""
        assert isinstance(candidate.mask, LearnedMask)
        if not self.keep.estimates or self.keep.spread:
            return candidate
        revised = self.keep.revised(candidate)
        assert isinstance(revised.mask, LearnedMask)
        return revised if revised.mask.keep >= MORE * candidate.mask.keep else candidate

    def _evolution(
        self, round_: int, trials: Sequence[Trial], parents: Sequence[Trial], left: float, rng: np.random.Generator
    ) -> RoundPlan:
        """The most promising children of the best masks; further plans if there are none."""
        count = max(1, int(min(self.length, left) / CHILD_SHARE))
        pool = self._children(parents, {trial.digest for trial in trials}, count, rng)
        best = itertools.chain(self._fitted(trials), filter(self._meets, self._best(pool, rng)))
        chosen = {one.digest: one for one in itertools.islice(best, count)}
        if not chosen:
            return self._discovery(round_, trials, left, rng)
        return self._round(round_, [(one, 0) for one in chosen.values()], "evolution", len(pool))

    def _fitted(self, trials: Sequence[Trial]) -> list[Candidate]:
        """Children of the masks that the last round found, fitted to bounds on other costs than non-zeros."""
        if not self.keep.estimates:
            return []
        known = {trial.digest for trial in trials}
        last = [trial for trial in trials if trial.round == trials[-1].round and was_learned(trial)]
        several = [fitted(self.search.space, trial, self._meets) for trial in last]
        return list({one.digest: one for one in several if one is not None and one.digest not in known}.values())

    def _children(
        self, parents: Sequence[Trial], known: set[str], count: int, rng: np.random.Generator
    ) -> list[Candidate]:
        """Children of the best masks that are not known: those of broods of which most is expected, and crossings of relatives.

        `count` is how many of them are to be trained.
        """
        space, screen = self.search.space, self.search.config.screen
        shares = 1 / (1 + np.arange(len(parents)))
        several = {
            one.digest: one
            for trial, share in zip(parents, shares / shares.sum(), strict=True)
            for one in self._brood(trial, share * count, rng)
        }
        crossed = self._distinct(proposals.crossings(space, parents, rng), known | set(several), screen)
        return [one for digest, one in several.items() if digest not in known] + crossed

    def _brood(self, trial: Trial, count: float, rng: np.random.Generator) -> list[Candidate]:
        """The children of one parent that were looked at closely, of which about `count` are to be trained."""
        from nas.training.weight_gradients import weight_gradients

        search = self.search
        path = None if self.networks is None else self.networks.path(trial.digest, trial.repeat)
        if path is None or not path.exists():
            return []
        network = onnx_graph.load(path)
        gradients = weight_gradients(network, search.task, seed=trial.seed, device=search.config.device)
        parent = Parent.of(trial, network, gradients)
        several, closely = math.ceil(min(BROOD * count, BITS // len(parent.strength))), math.ceil(CLOSELY * count) + 1
        dense = search.space.dense(trial.candidate)
        brood = parent.brood(self._weights_of_children(dense, len(parent.kept), several, rng), rng)
        self._proposed += len(brood)
        if self.surrogate.predictor is None:
            return [brood.candidate(child) for child in range(min(len(brood), closely))]
        found = brood.screened(self.surrogate, search.space.build(dense), closely, rng)
        self._screened |= {child.digest: score for child, score in found}
        return [child for child, _ in found]

    def _weights_of_children(
        self, dense: Candidate, own: int, count: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Numbers of weights of so many children; `own` is the parent's, which stays where it is not what the bounds are on."""
        if self.keep.estimates:
            return np.full(count, own)
        if not self.keep.spread:
            return np.full(count, self.keep.most(dense) or own)
        return np.array([self.keep.drawn(dense, rng) or own for _ in range(count)])

    def _leaders(self, trials: Sequence[Trial]) -> list[CandidateResult]:
        goals, known = self.search.objectives, results_by_candidate(trials, expected(self.search, trials))
        return ranked(goals, feasible(goals, self.search.constraints, known))

    def _parents(self, trials: Sequence[Trial]) -> list[Trial]:
        """The best trained networks with a ticket, whose files are kept, the best first."""
        found = []
        for leader in self._leaders(trials):
            runs = [t for t in trials if t.digest == leader.candidate.digest and t.ticket is not None and not t.failed]
            if runs:
                sign = self.search.metric.sign
                found.append(max(runs, key=lambda trial: sign * (trial.accuracy or 0.0)))
        return found[: proposals.PARENTS]

    @property
    def length(self) -> float:
        """Trainings of a round."""
        config = self.search.config
        return min(config.round, max(FEWEST, config.trainings / ROUNDS))

    def _bred(self, leaders: Sequence[Candidate], known: set[str], rng: np.random.Generator) -> list[Candidate]:
        """New plans, and those bred from the ones of which the predictor expects most; without a predictor new ones only."""
        screen = self.search.config.screen
        several = self._plans(leaders, known, screen, rng)
        if self.surrogate.predictor is None or not several:
            return several
        pool = self._promising(several, [], rng)
        for _ in range(GENERATIONS):
            known = known | set(map(proposals.niche, several))
            expected = self._utility(pool, self._scores(pool)[0], rng)
            parents = [pool[place] for place in np.argsort(-expected)[: proposals.PARENTS]]
            several = self._plans(parents, known, screen // 2, rng, fresh=0.0)
            pool += self._promising(several, pool, rng)
        return pool

    def _promising(
        self, plans: Sequence[Candidate], seen: Sequence[Candidate], rng: np.random.Generator
    ) -> list[Candidate]:
        """A share `LOOKED_AT` of new plans: some at random, and those of which most is expected by the scores of these and of `seen`."""
        closely = math.ceil(LOOKED_AT * len(plans))
        order, count = rng.permutation(len(plans)), math.ceil(AT_RANDOM * closely)
        probe = [plans[place] for place in order[:count]]
        known, rest = [*seen, *probe], [plans[place] for place in sorted(order[count:])]
        table = plan_table([*known, *rest], [self.keep.of_whole(one) for one in (*known, *rest)])
        places = np.arange(len(table))
        hopes = self._utility(known, self._scores(known)[0], rng)
        hope = extended(table, places[: len(known)], hopes.tolist(), places[len(known) :])
        return [*probe, *(rest[place] for place in np.argsort(-hope, kind="stable")[: closely - count])]

    def _plans(
        self,
        leaders: Sequence[Candidate],
        known: set[str],
        count: int,
        rng: np.random.Generator,
        fresh: float = proposals.FRESH,
    ) -> list[Candidate]:
        """So many plans of different niches that are not known, fewer if the space has no more."""
        length = SHORT if self.search.training.epochs >= 2 / SHORT else 1.0
        several = proposals.plans(self.search.space, self.keep, self.methods, leaders, rng, fresh=fresh, length=length)
        return self._distinct(several, known, count, proposals.niche)

    def _possible(self, candidate: Candidate) -> bool:
        """Whether the method, if there is one, can train the network."""
        mask = candidate.mask
        if not isinstance(mask, LearnedMask):
            return True
        model = self.search.space.build(candidate)
        try:
            begin(create(mask.method), model, mask.keep / counts(model)["weights"], 0, self.search.training)
        except MethodError:
            return False
        return True

    def _meets(self, child: Candidate) -> bool:
        """Whether a child meets the constraints on costs; its mask is known before its training."""
        bounds = on_costs(self.search.constraints)
        return not self.keep.estimates or all(one.excess(self._member(child).metrics) <= 0 for one in bounds)

    def _distinct(
        self,
        several: Iterator[Candidate | None],
        known: set[str],
        count: int,
        key: Callable[[Candidate], str] = lambda one: one.digest,
    ) -> list[Candidate]:
        """So many candidates of different keys that are not known, fewer if `PATIENCE` attempts for each do not give them."""
        found: dict[str, Candidate] = {}
        for one in itertools.islice(several, PATIENCE * count):
            self._proposed += 1
            if one is not None and (name := key(one)) not in known:
                found.setdefault(name, one)
            if len(found) == count:
                break
        return list(found.values())

    def _best(self, pool: Sequence[Candidate], rng: np.random.Generator) -> Iterator[Candidate]:
        """The candidates in the order in which they are to be trained; at random without a predictor.

        A share `explore` of the places is drawn at random. The first of the others is the best of all; the next ones win tournaments.
        """
        left, explore = list(range(len(pool))), self.search.config.explore
        scores = None if self.surrogate.predictor is None else self._scores(pool)
        for slot in range(len(pool)):
            if scores is None or rng.random() < explore:
                pick = int(rng.choice(left))
            else:
                mean, std = scores
                upper = self._utility(pool, mean + OPTIMISM[slot % len(OPTIMISM)] * std, rng)
                some = left if slot == 0 else rng.choice(left, max(1, int(TOURNAMENT * len(left))), replace=False)
                pick = int(some[int(np.argmax(upper[some]))])
            left.remove(pick)
            yield pool[pick]

    def _utility(
        self, pool: Sequence[Candidate], upper: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """The optimistic prediction, or with several objectives a random scalarisation."""
        goals = [goal for goal in self.search.objectives if goal.known_before_training]
        if len(goals) == 1:
            return upper
        return scalarised(goals, upper, [self._member(candidate).metrics for candidate in pool], rng)

    def _scores(self, pool: Sequence[Candidate]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predicted means and limited standard deviations, each ``(candidates,)``."""
        new = [one for one in pool if one.digest not in self._screened]
        if new:
            said = self.surrogate.predict(new)
            stds = np.minimum(said.std, largest_std(said.mean))
            self._screened |= {
                one.digest: Score(float(mean), float(std)) for one, mean, std in zip(new, said.mean, stds, strict=True)
            }
        scores = [self._screened[one.digest] for one in pool]
        return np.array([one.mean for one in scores]), np.array([one.std for one in scores])

    def _cost(self, candidate: Candidate, trials: Sequence[Trial]) -> float:
        """Expected cost in trainings: 1 of a dense network; of a method that of its earlier runs, else 2, for its length."""
        mask = candidate.mask
        if not isinstance(mask, LearnedMask):
            return 1.0
        costs = [
            trial.cost / other.length
            for trial in trials
            if isinstance(other := trial.candidate.mask, LearnedMask) and other.method == mask.method
        ]
        return mask.length * (float(np.mean(costs)) if costs else 2.0)

    def _round(
        self, round_: int, chosen: Sequence[tuple[Candidate, int]], way: Way, screened: int | None = None
    ) -> RoundPlan:
        """The plan, with what is known of its candidates; without a pool all that was proposed is trained."""
        members = [(self._member(candidate), self._score(candidate)) for candidate, _ in chosen]
        repeats, count = [repeat for _, repeat in chosen], len(chosen)
        return RoundPlan(
            round_, members, repeats, way, count if screened is None else self._proposed, screened or count
        )

    def _member(self, candidate: Candidate) -> Screened:
        if candidate.digest not in self._metrics:
            self._metrics[candidate.digest] = self._costs(candidate)
        metrics = self._metrics[candidate.digest]
        return Screened(Proposal(candidate=candidate), metrics, None)

    def _costs(self, candidate: Candidate) -> dict[str, float]:
        """All costs that are counted, and those that constraints and objectives name."""
        names = [one.metric for one in on_costs(self.search.constraints)]
        names += [goal.name for goal in self.search.objectives if goal.name in COSTS]
        if isinstance(candidate.mask, LearnedMask):
            return self.keep.costs(candidate)
        model = self.surrogate.networks.build(candidate)
        further = [name for name in dict.fromkeys(names) if name not in COUNTED]
        finished = lambda: as_exported(model, self.search.task, candidate)  # noqa: E731
        return counts(model) | measure_all(further, model, finished)

    def _score(self, candidate: Candidate) -> Score | None:
        """The prediction of this round, made now if the candidate was not screened."""
        if self.surrogate.predictor is None:
            return None
        self._scores([candidate])
        return self._screened[candidate.digest].in_unit_of(self.search.metric)


def _next_length(candidate: Candidate) -> float:
    """Of a plan that leads: a whole training after a short one, then twice as long each time."""
    assert isinstance(candidate.mask, LearnedMask)
    return 1.0 if candidate.mask.length < 1 else min(2 * candidate.mask.length, LONGEST)


def _of_length(candidate: Candidate, length: float) -> Candidate:
    assert isinstance(candidate.mask, LearnedMask)
    return replace(candidate, mask=replace(candidate.mask, length=length))
