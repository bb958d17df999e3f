"""The search loop: plan a round, train it, record it, and repeat until the budget is spent.

Every round depends only on the configuration and the trials of earlier rounds. So a killed run continues exactly where
it stopped: the unfinished round is planned and trained again, and only the missing trials are added to the record.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nas.engine.budget import spent
from nas.engine.executors.executor import Executor
from nas.engine.expected import expected
from nas.engine.guided.planner import GuidedPlanner
from nas.engine.leaders import feasible, ranked
from nas.engine.measurer import Measurer, Training
from nas.engine.network_files import NetworkFiles
from nas.engine.plan import SearchPlan
from nas.engine.planner import Planner, RoundPlan
from nas.engine.recorder import Recorder
from nas.engine.remaining_time import RemainingTime, Work, after_search
from nas.engine.round_training import Trainer
from nas.engine.run_identity import require_unchanged
from nas.engine.surrogate import Surrogate
from nas.engine.table_lookup import TableLookup
from nas.study.agreement import Agreement
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
    trainer: Measurer
    recorder: Recorder
    remaining: RemainingTime
    after: Work
    begun: float
    executor: Executor | None = None
    on_progress: Callable[[Progress], None] = lambda progress: None
    clock: Callable[[], float] = time.perf_counter

    @property
    def seconds(self) -> Seconds:
        """The time spent so far, by kind of work."""
        return self.remaining.seconds

    def feasible(self, trials: Sequence[Trial]) -> list[CandidateResult]:
        """The trained candidates whose metrics meet the constraints."""
        return feasible(
            self.plan.objectives, self.plan.constraints, results_by_candidate(trials, expected(self.plan, trials))
        )

    def run(self) -> list[Trial]:
        """Train until the budget of trainings or time is spent; returns all trials, including earlier ones."""
        trials = self.record.trials
        begun = self.clock()
        round_ = self._open_round()
        while spent(trials) < self.plan.config.trainings and not self._out_of_time(begun):
            plan = self._planned(round_)
            if not plan.chosen:
                log.warning(
                    "no further candidate of the space meets the constraints: %g trainings of %d",
                    spent(trials),
                    self.plan.config.trainings,
                )
                break
            if sum(trial.round == round_ for trial in trials) < len(plan.chosen):
                self._do(plan, begun)
            round_ += 1
        return trials

    def _planned(self, round_: int) -> RoundPlan:
        """Plan a round, and count the time."""
        seconds = self.seconds
        start, fitting = self.clock(), seconds.fitting
        plan = self.planner.plan(round_, [trial for trial in self.record.trials if trial.round < round_])
        took = self.clock() - start
        seconds.screening += took - (seconds.fitting - fitting)
        if self.plan.predictor is not None and plan.screened > len(plan.chosen):
            pace = self.remaining.pace(plan.way)
            pace.planned, pace.planning = pace.planned + 1, pace.planning + took
        return plan

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

    def _out_of_time(self, begun: float) -> bool:
        """Whether the time is over. The first round always starts, because a report needs at least one trial."""
        timeout = self.plan.config.timeout
        return timeout is not None and bool(self.record.trials) and self.clock() - begun > timeout

    def _do(self, plan: RoundPlan, begun: float) -> None:
        """Train and record a round."""
        self._tell(plan, begun)
        start = self.clock()
        trainings = self.trainer.train_round(plan, self.plan.method)
        trained = self.clock()
        self.recorder.add(plan, trainings)
        self.seconds.training += trained - start
        self.seconds.recording += self.clock() - trained
        pace = self.remaining.pace(plan.way)
        pace.trainings += sum(one.cost for one in trainings)
        took = self.clock() - start
        pace.seconds += took
        self._count_spaces(plan, trainings, took)
        self._tell(plan, begun)

    def _count_spaces(self, plan: RoundPlan, trainings: Sequence[Training], took: float) -> None:
        """Divide the time of a round among the spaces of its candidates, in proportion to the times of the trainings."""
        parts = [0.0 if isinstance(one.result, Exception) else one.result.seconds for one in trainings]
        total = sum(parts)
        for (member, _), one, part in zip(plan.chosen, trainings, parts, strict=True):
            if part:
                self.remaining.trained(member.proposal.candidate.space, one.cost, took * part / total)

    def _tell(self, plan: RoundPlan, begun: float) -> None:
        """Call `on_progress`."""
        trials = self.record.trials
        goals = self.plan.objectives
        now = ranked(goals, self.feasible(trials))
        before = ranked(goals, self.feasible([trial for trial in trials if trial.round < plan.round]))
        elapsed = self.clock() - begun
        self.on_progress(
            Progress(
                round=plan.round,
                trainings=spent(trials),
                budget=self.plan.config.trainings,
                epochs=self.plan.training.epochs,
                way=plan.way,
                proposed=plan.proposed,
                screened=plan.screened,
                chosen=plan.repeats.count(0),
                again=len(plan.repeats) - plan.repeats.count(0),
                failed=sum(trial.failed for trial in trials),
                best=now[0].accuracy if now else None,
                best_nnz=int(now[0].metrics["nnz"]) if now else None,
                best_trainings=len(now[0].accuracies) if now else 0,
                agreement=None if self.plan.predictor is None else Agreement.of(trials),
                fall=Fall.between(before, now, self.plan.metric),
                elapsed=elapsed,
                left=self._left(elapsed, now[0].candidate.space if now else ""),
            )
        )

    def _left(self, elapsed: float, space: str) -> float | None:
        """Estimated seconds until the run ends; `space` is that of the leading candidate."""
        after = self.remaining.of(replace(self.after, space=space))
        if after is None:
            return None
        work = Work(rounds=self.planner.ahead(spent(self.record.trials)), report=False, space=space)
        guided = self.plan.predictor is not None
        search = self.remaining.of(work, round_=self.planner.length, guided=guided) or 0.0
        if self.plan.config.timeout is not None:
            search = min(search, max(self.plan.config.timeout - elapsed, 0.0))
        return search + after


def open_engine(
    plan: SearchPlan,
    folder: RunFolder,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    remaining: RemainingTime | None = None,
    after: Work | None = None,
    clock: Callable[[], float] = time.perf_counter,
    read_only: bool = False,
    executor: Executor | None = None,
) -> Engine:
    """Open the record of a run, whose lock the caller holds; `RunError` if the data changed since the run was started.

    `remaining` and `after` are given if the search is a part of another run. `executor` runs the trainings; None: this process.
    """
    record = Record(folder.journal, plan.objectives, plan.constraints, read_only=read_only)
    require_unchanged(record, plan.config, plan.task, folder)
    if remaining is None:
        remaining = RemainingTime(Seconds())
        remaining.learn(record.trials)
    planner = planner_of(plan, remaining, clock, NetworkFiles(folder.models))
    return Engine(
        plan=plan,
        folder=folder,
        record=record,
        planner=planner,
        trainer=_measurer(plan, folder, executor),
        executor=executor,
        recorder=Recorder(record, folder, plan),
        remaining=remaining,
        after=after_search(plan.config, kept=isinstance(planner, GuidedPlanner)) if after is None else after,
        begun=clock(),
        on_progress=on_progress,
        clock=clock,
    )


def _measurer(plan: SearchPlan, folder: RunFolder, executor: Executor | None) -> Measurer:
    """What measures candidates: the table of the search, or trainings."""
    if plan.table is not None:
        return TableLookup(plan.table, plan.config.seed)
    return Trainer(plan, NetworkFiles(folder.models), executor)


def planner_of(
    plan: SearchPlan,
    remaining: RemainingTime,
    clock: Callable[[], float] = time.perf_counter,
    networks: NetworkFiles | None = None,
) -> Planner | GuidedPlanner:
    """The planner of the search's strategy: its own, or the one that lets it fill pools. `networks` are those that the run keeps."""
    make = getattr(plan.strategy, "planner", None)
    own: GuidedPlanner | None = None if make is None else make(plan, remaining, clock, networks)
    return own or Planner(plan, Surrogate(plan), remaining, clock)
