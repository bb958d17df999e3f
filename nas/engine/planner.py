"""Plans a round: chooses the candidates to train next. It depends only on the configuration and the earlier trials."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nas.engine import acquisition
from nas.engine.budget import confirmations, first_round, spent
from nas.engine.leaders import feasible, ranked
from nas.engine.plan import SearchPlan
from nas.engine.pool import Pool, Screened
from nas.engine.remaining_time import RemainingTime
from nas.engine.surrogate import Surrogate
from nas.exporters.onnx_export import as_exported
from nas.measure.costs import COSTS
from nas.seeds import generator
from nas.study.trial import Proposal, Score, Trial, results_by_candidate
from nas.study.way import Way
from search_spaces import has_masks


@dataclass(frozen=True, eq=False)
class RoundPlan:
    """The trainings of one round.

    Attributes:
        round: number of the round.
        chosen: candidates with their metrics and score.
        repeats: repeat number of each training.
        way: how the new candidates were found.
        proposed: number of candidates that were proposed for this round, with those that were refused.
        screened: number of new candidates that meet the constraints, from which the round was chosen.
    """

    round: int
    chosen: list[tuple[Screened, Score | None]]
    repeats: list[int]
    way: Way
    proposed: int = 0
    screened: int = 0


@dataclass(eq=False)
class Planner:
    """Plans the rounds of a search."""

    search: SearchPlan
    surrogate: Surrogate
    remaining: RemainingTime
    clock: Callable[[], float] = time.perf_counter

    def plan(self, round_: int, trials: Sequence[Trial]) -> RoundPlan:
        """The round's candidates, given the trials of all earlier rounds; empty if the space has no more candidates."""
        config = self.search.config
        left = max(1, int(config.trainings - spent(trials)))
        reserve = confirmations(config)
        if left <= reserve and results_by_candidate(trials):
            return self._confirmation(round_, trials, left)
        count = min(first_round(config) if not trials else config.round, left - reserve if left > reserve else left)
        return self._exploration(round_, trials, count)

    def ahead(self, done: float) -> Mapping[Way, float]:
        """Trainings that are spent on each way of searching after the first `done` ones."""
        return {self._way: max(0.0, self.search.config.trainings - done)}

    @property
    def length(self) -> float:
        """Trainings of a round."""
        return self.search.config.round

    def fit(self, trials: Sequence[Trial]) -> None:
        """Fit the predictor again and count the time."""
        with self.remaining.fitting(self.clock):
            self.surrogate.fit(trials)

    def _exploration(self, round_: int, trials: Sequence[Trial], count: int) -> RoundPlan:
        """Propose and score new candidates, and choose `count` of them."""
        config = self.search.config
        rng = generator(config.seed, "round", round_)
        self.fit(trials)
        pool = self._pool(trials)
        wanted = max(config.screen, count) if self.surrogate.predictor is not None else count
        self.search.strategy.fill(pool, trials, wanted, rng=rng, trainings=config.trainings)
        chosen = [
            (member, None if score is None else score.in_unit_of(self.search.metric))
            for member, score in acquisition.choose(pool, count, explore=config.explore, rng=rng)
        ]
        self.surrogate.keep(member for member, _ in chosen)
        return RoundPlan(round_, chosen, [0] * len(chosen), self._way, len(pool) + pool.refused, len(pool))

    @property
    def _way(self) -> Way:
        if self.search.config.strategy == "random":
            return "random"
        return "drawn" if has_masks(self.search.space) else "discovery"

    def _pool(self, trials: Sequence[Trial]) -> Pool:
        return Pool(
            self.search.space,
            self.search.constraints,
            self.search.objectives,
            predictor=self.surrogate.predictor,
            encode=self.surrogate.encode,
            taken={trial.digest for trial in trials},
            finish=lambda model, candidate: as_exported(model, self.search.task, candidate),
            screened=None if has_masks(self.search.space) else self.surrogate.screened,
        )

    def _confirmation(self, round_: int, trials: Sequence[Trial], left: int) -> RoundPlan:
        """Train the leaders again: first many of them, then fewer, so that the winner is not only lucky."""
        count = max(1, -(-left * 3 // 5)) if left > 2 else left
        known = results_by_candidate(trials)
        search = self.search
        leaders = ranked(search.objectives, feasible(search.objectives, search.constraints, known) or known)
        phase = {trial.digest for trial in itertools.takewhile(lambda trial: trial.repeat > 0, reversed(trials))}
        confirmed = [leader for leader in leaders if leader.candidate.digest in phase]
        chosen = (confirmed or leaders)[:count]
        tries = {s.candidate.digest: sum(trial.digest == s.candidate.digest for trial in trials) for s in chosen}
        members = [(Screened(Proposal(candidate=s.candidate), _costs(s.metrics), None), s.score) for s in chosen]
        return RoundPlan(round_, members, [tries[member.digest] for member, _ in members], self._way)


def _costs(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a trial that are known before the training."""
    return {name: value for name, value in metrics.items() if name in COSTS}
