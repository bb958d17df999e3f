"""The search loop: plan a round, train it, record it, and repeat until the budget is spent.

Every round depends only on the configuration and the trials of earlier rounds. So a killed run continues exactly where
it stopped: the unfinished round is planned and trained again, and only the missing trials are added to the record.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nas.engine.budget import spent
from nas.engine.guided.planner import GuidedPlanner
from nas.engine.leaders import feasible, ranked
from nas.engine.network_files import NetworkFiles
from nas.engine.plan import SearchPlan
from nas.engine.planner import Planner, RoundPlan
from nas.engine.recorder import Recorder
from nas.engine.remaining_time import RemainingTime, Work, after_search
from nas.engine.round_training import Trainer
from nas.engine.run_identity import require_unchanged
from nas.engine.surrogate import Surrogate
from nas.study.progress import Fall, Progress
from nas.study.record import Record
from nas.study.run_folder import RunFolder
from nas.study.seconds import Seconds
from nas.study.trial import CandidateResult, Trial, results_by_candidate

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Engine:
    """A search and its parts. `run` performs it; later steps (retraining, export, report) also use the parts.

    Attributes:
        plan: resolved search.
        after: work of the run after this search, for the estimate of the remaining time.
        begun: time of `clock` when this process opened the run.
        clock: function that returns seconds from an arbitrary start.
    """

    plan: SearchPlan
    folder: RunFolder
    record: Record
    planner: Planner | GuidedPlanner
    trainer: Trainer
    recorder: Recorder
    remaining: RemainingTime
    after: Work
    begun: float
    on_progress: Callable[[Progress], None] = lambda progress: None
    clock: Callable[[], float] = time.perf_counter

    @property
    def seconds(self) -> Seconds:
        """The time spent so far, by kind of work."""
        return self.remaining.seconds

    def feasible(self, trials: Sequence[Trial]) -> list[CandidateResult]:
        """The trained candidates whose metrics meet the constraints."""
        return feasible(self.plan.objectives, self.plan.constraints, results_by_candidate(trials))

    def run(self) -> list[Trial]:
        """Train until the budget of trainings or time is spent; returns all trials, including earlier ones."""
        trials = self.record.trials
        state = _State(begun=self.clock())
        round_ = self._open_round()
        while spent(trials) < self.plan.config.trainings and not self._out_of_time(state):
            plan = self.planner.plan(round_, [trial for trial in trials if trial.round < round_])
            if not plan.chosen:
                log.warning(
                    "no further candidate of the space meets the constraints: %g trainings of %d",
                    spent(trials),
                    self.plan.config.trainings,
                )
                break
            if sum(trial.round == round_ for trial in trials) < len(plan.chosen):
                self._do(plan, state)
            round_ += 1
        return trials

    def _open_round(self) -> int:
        """The round to plan first: the last recorded one, which may be unfinished.

        If the budget has changed, it is the next round: the existing rounds were planned under another configuration.
        """
        trials, facts = self.record.trials, self.record.facts
        last = trials[-1].round if trials else 0
        if facts.get("trainings") != self.plan.config.trainings:
            self.record.remember("planned_from", last + 1 if trials else 0)
            self.record.remember("trainings", self.plan.config.trainings)
        return max(last, int(self.record.facts["planned_from"]))

    def _out_of_time(self, state: "_State") -> bool:
        """Whether the time is over. The first round always starts, because a report needs at least one trial."""
        timeout = self.plan.config.timeout
        return timeout is not None and bool(self.record.trials) and self.clock() - state.begun > timeout

    def _do(self, plan: RoundPlan, state: "_State") -> None:
        """Train and record a round."""
        self._tell(plan, state)
        start = self.clock()
        trainings = self.trainer.train_round(plan, self.plan.method)
        trained = self.clock()
        self.recorder.add(plan, trainings)
        self.seconds.training += trained - start
        self.seconds.recording += self.clock() - trained
        if self.plan.predictor is None:
            self.remaining.plain += sum(one.cost for one in trainings)
        else:
            self.remaining.planned += sum(one.cost for one in trainings)
        state.screened += plan.screened
        self._tell(plan, state)

    def _tell(self, plan: RoundPlan, state: "_State") -> None:
        """Call `on_progress`."""
        trials = self.record.trials
        goals = self.plan.objectives
        now = ranked(goals, self.feasible(trials))
        before = ranked(goals, self.feasible([trial for trial in trials if trial.round < plan.round]))
        elapsed = self.clock() - state.begun
        self.on_progress(
            Progress(
                round=plan.round,
                trainings=round(spent(trials)),
                budget=self.plan.config.trainings,
                screened=state.screened,
                failed=sum(trial.failed for trial in trials),
                best=now[0].accuracy if now else None,
                best_nnz=int(now[0].metrics["nnz"]) if now else None,
                best_trainings=len(now[0].accuracies) if now else 0,
                fall=Fall.between(before, now, self.plan.metric),
                elapsed=elapsed,
                left=self._left(elapsed),
            )
        )

    def _left(self, elapsed: float) -> float | None:
        """Estimated seconds until the run ends."""
        count = max(0, round(self.plan.config.trainings - spent(self.record.trials)))
        guided = self.plan.predictor is not None
        search = self.remaining.of(Work(planned=count if guided else 0, plain=0 if guided else count, report=False))
        after = self.remaining.of(self.after)
        if search is None or after is None:
            return None
        if self.plan.config.timeout is not None:
            search = min(search, max(self.plan.config.timeout - elapsed, 0.0))
        return search + after


@dataclass
class _State:
    """State of a search in this process: its start time, and the number of candidates built and checked."""

    begun: float
    screened: int = field(default=0)


def open_engine(
    plan: SearchPlan,
    folder: RunFolder,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    remaining: RemainingTime | None = None,
    after: Work | None = None,
    clock: Callable[[], float] = time.perf_counter,
    read_only: bool = False,
) -> Engine:
    """Open the record of a run, whose lock the caller holds; `RunError` if the data changed since the run was started.

    `remaining` and `after` are given if the search is a part of another run.
    """
    record = Record(folder.journal, plan.objectives, plan.constraints, read_only=read_only)
    require_unchanged(record, plan.config, plan.task, folder)
    remaining = remaining or RemainingTime(Seconds())
    return Engine(
        plan=plan,
        folder=folder,
        record=record,
        planner=_planner(plan, remaining, clock),
        trainer=Trainer(plan, NetworkFiles(folder.models)),
        recorder=Recorder(record, folder, plan),
        remaining=remaining,
        after=after_search(plan.config) if after is None else after,
        begun=clock(),
        on_progress=on_progress,
        clock=clock,
    )


def _planner(plan: SearchPlan, remaining: RemainingTime, clock: Callable[[], float]) -> Planner | GuidedPlanner:
    """The planner of the search's strategy: its own, or the one that lets it fill pools."""
    make = getattr(plan.strategy, "planner", None)
    own: GuidedPlanner | None = None if make is None else make(plan, remaining, clock)
    return own or Planner(plan, Surrogate(plan), remaining, clock)
