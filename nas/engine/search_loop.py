"""The search: propose thousands, score them by structure, train the chosen few, record, refit, again.

Every round is a function of the configuration and the trials of earlier rounds alone. So a run that was killed goes on
exactly where it stood: the round in work is planned and trained again, and only what the record lacks is added.
"""

import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

import onnx_graph
from nas.engine import acquisition
from nas.engine.leaders import feasible, front, ranked
from nas.engine.plan import SearchPlan
from nas.engine.pool import Pool, Screened
from nas.errors import NasError, RunError
from nas.exporters.onnx_export import as_exported
from nas.measure.costs import COSTS, counts_in_file, measure_all
from nas.seeds import derive, generator
from nas.study.config import SearchConfig
from nas.study.constraints import on_costs
from nas.study.progress import Progress
from nas.study.record import Record
from nas.study.run_folder import RunFolder
from nas.study.trial import CandidateResult, Proposal, Score, Trial, results_by_candidate
from nas.tasks.task import Task
from nas.training.options import TrainingResult
from predictors.predictor import Predictor
from predictors.structure_graph import StructureGraph
from search_spaces.candidate import Candidate

if TYPE_CHECKING:
    from predictors.task_description import TaskDescription

log = logging.getLogger(__name__)

FEWEST_TO_FIT = 8
"""Trained candidates below which no predictor is fitted."""

MOST_UNGUIDED = 24
"""Trainings of the first round at the most, unless a round is longer: it is recorded when it is done."""


@dataclass
class Seconds:
    """Where the wall time of this process went, baselines included; `total` ends before the report is drawn."""

    training: float = 0.0
    screening: float = 0.0
    fitting: float = 0.0
    recording: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, eq=False)
class Plan:
    """One round.

    Attributes:
        round: its number.
        chosen: candidates with their metrics and score.
        repeats: the repeat number of each.
        screened: candidates that were built and checked for it.
    """

    round: int
    chosen: list[tuple[Screened, Score | None]]
    repeats: list[int]
    screened: int


@dataclass(eq=False)
class Engine:
    """A search in work. Make it, call `run`."""

    plan: SearchPlan
    record: Record
    folder: RunFolder
    on_progress: Callable[[Progress], None] = lambda progress: None
    seconds: Seconds = field(default_factory=Seconds)
    predictor: Predictor | None = None

    def __post_init__(self) -> None:
        """Take what the search needs at every turn out of its plan."""
        plan = self.plan
        self.config, self.task, self.space = plan.config, plan.task, plan.space
        self.objectives, self.constraints, self.metric = plan.objectives, plan.constraints, plan.metric
        self.strategy, self.method = plan.strategy, plan.method
        self.screened = 0
        self.begun = time.perf_counter()
        self._graphs: dict[str, StructureGraph] = {}
        self._at_start = len(self.record.trials)

    def run(self) -> list[Trial]:
        """Train until the budget of trainings or time is spent; returns all trials, earlier ones included."""
        start = time.perf_counter()
        trials = self.record.trials
        self._at_start = len(trials)
        round_ = self._open_round()
        while len(trials) < self.config.trainings and not self._out_of_time(start):
            plan = self._plan(round_, [trial for trial in trials if trial.round < round_])
            if not plan.chosen:
                log.warning(
                    "no further candidate of the space meets the constraints: %d trainings of %d",
                    len(trials),
                    self.config.trainings,
                )
                break
            if sum(trial.round == round_ for trial in trials) < len(plan.chosen):
                self._train(plan, start)
            round_ += 1
        return trials

    def _open_round(self) -> int:
        """The round to plan first: the last recorded one, which may be unfinished.

        Not so where the budget was changed since: rounds up to there were planned under another configuration and stay.
        """
        trials, facts = self.record.trials, self.record.facts
        last = trials[-1].round if trials else 0
        if facts.get("trainings") != self.config.trainings:
            self.record.remember("planned_from", last + 1 if trials else 0)
            self.record.remember("trainings", self.config.trainings)
        return max(last, int(self.record.facts["planned_from"]))

    def _out_of_time(self, start: float) -> bool:
        """Whether to begin no further round; the first is always begun, or there would be nothing to report."""
        timeout = self.config.timeout
        return timeout is not None and bool(self.record.trials) and time.perf_counter() - start > timeout

    # --- planning -------------------------------------------------------------------------------------------------

    def _plan(self, round_: int, trials: Sequence[Trial]) -> Plan:
        """The round's candidates, from the configuration and earlier rounds alone."""
        left = self.config.trainings - len(trials)
        reserve = confirmations(self.config)
        if left <= reserve and results_by_candidate(trials):
            return self._confirm(round_, trials, left)
        count = min(
            first_round(self.config) if not trials else self.config.round, left - reserve if left > reserve else left
        )
        rng = generator(self.config.seed, "round", round_)
        self.fit(trials)
        pool = Pool(
            self.space,
            self.constraints,
            self.objectives,
            predictor=self.predictor,
            encode=self._encoder(),
            taken={trial.digest for trial in trials},
            finish=lambda model, candidate: as_exported(model, self.task, candidate),
        )
        wanted = max(self.config.screen, count) if self.predictor is not None else count
        start = time.perf_counter()
        self.strategy.fill(pool, trials, wanted, rng=rng, trainings=self.config.trainings)
        chosen = [
            (member, None if score is None else score.in_unit_of(self.metric))
            for member, score in acquisition.choose(pool, count, explore=self.config.explore, rng=rng)
        ]
        self.seconds.screening += time.perf_counter() - start
        self._graphs |= {member.digest: member.graph for member, _ in chosen if member.graph is not None}
        return Plan(round_, chosen, [0] * len(chosen), len(pool) + pool.refused)

    def _confirm(self, round_: int, trials: Sequence[Trial], left: int) -> Plan:
        """Train the leaders again: more of them first, then fewer, so that the winner is not just the luckiest."""
        count = max(1, -(-left * 3 // 5)) if left > 2 else left
        leaders = ranked(self.objectives, self.feasible(trials) or results_by_candidate(trials))
        phase = {trial.digest for trial in itertools.takewhile(lambda trial: trial.repeat > 0, reversed(trials))}
        confirmed = [leader for leader in leaders if leader.candidate.digest in phase]
        chosen = (confirmed or leaders)[:count]
        tries = {s.candidate.digest: sum(trial.digest == s.candidate.digest for trial in trials) for s in chosen}
        members = [(Screened(Proposal(candidate=s.candidate), _costs(s.metrics), None), s.score) for s in chosen]
        return Plan(round_, members, [tries[member.digest] for member, _ in members], 0)

    def _encoder(self) -> Callable[[ir.Model], StructureGraph] | None:
        if self.plan.predictor is None:
            return None
        from predictors import encode

        description = self.description
        return encode if description is None else lambda model: encode(model).on(description)

    @cached_property
    def description(self) -> "TaskDescription | None":
        """What a predictor that knows other tasks is told of this one; None for the others."""
        if not getattr(self.plan.predictor, "needs_task", False):
            return None
        from nas.tasks.description import describe

        return describe(self.task)

    def fit(self, trials: Sequence[Trial]) -> None:
        """Refit the predictor on all candidates of these trials; with too few of them there is none."""
        known = results_by_candidate(trials)
        self.predictor = None
        if self.plan.predictor is None or len(known) < FEWEST_TO_FIT:
            return
        import predictors

        start = time.perf_counter()
        graphs = [self._graph(result.candidate) for result in known]
        shares = np.array([self.metric.to_share(result.accuracy) for result in known])
        fresh = predictors.create(self.config.predictor)
        self.predictor = fresh.fit(graphs, shares, seed=derive(self.config.seed, "fit") % 2**31)
        self.seconds.fitting += time.perf_counter() - start

    def _graph(self, candidate: Candidate) -> StructureGraph:
        digest = candidate.digest
        if digest not in self._graphs:
            encode = self._encoder()
            if encode is None:
                raise RunError("no structure graph without a predictor")
            self._graphs[digest] = encode(self.space.build(candidate))
        return self._graphs[digest]

    # --- training -------------------------------------------------------------------------------------------------

    def _train(self, plan: Plan, start: float) -> None:
        """Train a round and add to the record what it lacks.

        A round of which a part is recorded is trained whole: stacked trainings are only equal to the last bit in the
        same stack, and a resumed run must end in the same trials as an undisturbed one.
        """
        from nas.training.population import train_population

        self._report(plan, start)
        models = [self.space.build(member.proposal.candidate) for member, _ in plan.chosen]
        seeds = [
            training_seed(self.config.seed, member.digest, repeat)
            for (member, _), repeat in zip(plan.chosen, plan.repeats, strict=True)
        ]
        begin = time.perf_counter()
        results = train_population(
            models,
            self.task,
            self.plan.training,
            seeds=seeds,
            method=self.method,
            device=self.config.device,
        )
        self.seconds.training += time.perf_counter() - begin
        self.screened += plan.screened
        begin = time.perf_counter()
        first = sum(trial.round < plan.round for trial in self.record.trials)
        for index, (model, result) in enumerate(zip(models, results, strict=True)):
            trial = _trial(plan, index, first + index, seeds[index], result)
            if trial.number >= len(self.record.trials):
                if not isinstance(result, Exception) and not trial.failed:
                    onnx_graph.set_weights(model, dict(result.weights))
                    trial = self._measured(trial, model) if self.method.moves else trial
                    trial = self._with_further_metrics(trial, model)
                    self._save(trial, model)
                self.record.add(trial)
        self._keep_models()
        self.folder.write_trials(self.record.trials)
        self.seconds.recording += time.perf_counter() - begin
        self._report(plan, start)

    def model_file(self, digest: str, repeat: int) -> str:
        """Name of a trained network in the models folder."""
        return f"{digest}-{repeat}.onnx"

    def _measured(self, trial: Trial, model: ir.Model) -> Trial:
        """The trial with the costs of the trained network, whose mask is another; failed where they break a constraint.

        A method keeps the count of non-zeros, but some of them may be cut off from input or output, and units that were dead
        may live again and cost bytes and time.
        """
        metrics = counts_in_file(model, keep_dead_units=self.method.grouped)
        missing = [name for name in trial.metrics if name in COSTS and name not in metrics]
        metrics |= measure_all(
            missing,
            model,
            lambda: as_exported(model, self.task, trial.candidate, keep_dead_units=self.method.grouped),
        )
        broken = [c for c in on_costs(self.constraints) if c.excess(metrics) > 0]
        if not broken:
            return replace(trial, metrics=metrics)
        first = broken[0]
        error = f"after training {first.metric} is {metrics[first.metric]:g}, which breaks the constraint {first}"
        return replace(trial, metrics=metrics, accuracy=None, error=error)

    def _with_further_metrics(self, trial: Trial, model: ir.Model) -> Trial:
        """The trial with every other metric that objectives and constraints name, measured on the validation split."""
        from nas.training.single import evaluate

        found = {
            name: evaluate(model, self.task, self.task.validation, metric=name, device=self.config.device)
            for name in self.plan.further_metrics
        }
        return replace(trial, metrics={**trial.metrics, **found}) if found else trial

    def feasible(self, trials: Sequence[Trial]) -> list[CandidateResult]:
        """The trained candidates whose metrics meet the constraints."""
        return feasible(self.objectives, self.constraints, results_by_candidate(trials))

    def _save(self, trial: Trial, model: ir.Model) -> None:
        """Store a trained network before its trial is recorded: what the record names exists."""
        onnx_graph.save(model, self.folder.models / self.model_file(trial.digest, trial.repeat))

    def _keep_models(self) -> None:
        """Delete the networks of candidates that neither lead nor lie on the front: a long search fills no disk."""
        known = self.feasible(self.record.trials)
        keep = {s.candidate.digest for s in ranked(self.objectives, known)[:10]} | {
            s.candidate.digest for s in front(self.objectives, known)
        }
        for path in self.folder.models.glob("*-*.onnx"):
            if path.stem.rpartition("-")[0] not in keep:
                path.unlink(missing_ok=True)

    def _report(self, plan: Plan, start: float) -> None:
        trials = self.record.trials
        known = ranked(self.objectives, self.feasible(trials))
        elapsed = time.perf_counter() - start
        done = len(trials) - self._at_start
        left = elapsed / done * (self.config.trainings - len(trials)) if done else None
        self.on_progress(
            Progress(
                round=plan.round,
                trainings=len(trials),
                budget=self.config.trainings,
                screened=self.screened,
                failed=sum(trial.failed for trial in trials),
                best=known[0].accuracy if known else None,
                best_nnz=int(known[0].metrics["nnz"]) if known else None,
                elapsed=elapsed,
                left=left,
            )
        )


def open_engine(
    plan: SearchPlan,
    folder: RunFolder,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    seconds: Seconds | None = None,
    read_only: bool = False,
) -> Engine:
    """Open the record of a run, whose lock the caller holds; `RunError` where the data changed since it was begun."""
    record = Record(folder.journal, plan.objectives, plan.constraints, read_only=read_only)
    require_unchanged(record, plan.config, plan.task, folder)
    return Engine(plan, record, folder, on_progress, seconds or Seconds())


def _costs(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those of the figures of a trial that are known before a training."""
    return {name: value for name, value in metrics.items() if name in COSTS}


def _trial(plan: Plan, index: int, number: int, seed: int, result: TrainingResult | Exception) -> Trial:
    """A training of a plan as a trial; an error that is none of ours is a bug and raised."""
    if isinstance(result, Exception) and not isinstance(result, NasError | onnx_graph.GraphError):
        raise result
    member, score = plan.chosen[index]
    if isinstance(result, Exception):
        accuracy, seconds, dead_units, error = None, 0.0, 0, str(result)
    elif result.dead:
        accuracy, seconds, dead_units, error = None, result.seconds, result.dead_units, result.dead
    else:
        accuracy, seconds, dead_units, error = result.accuracy, result.seconds, result.dead_units, ""
    return Trial(
        number=number,
        round=plan.round,
        repeat=plan.repeats[index],
        candidate=member.proposal.candidate,
        accuracy=accuracy,
        score=score,
        metrics=member.metrics,
        seconds=seconds,
        seed=seed,
        dead_units=dead_units,
        error=error,
        proposal=member.proposal if plan.repeats[index] == 0 else None,
    )


def require_unchanged(record: Record, config: SearchConfig, task: Task, folder: RunFolder) -> None:
    """`RunError` where the data, or an option that decides the trials, is not what the run was begun with."""
    options = config.identity()
    if "options" not in record.facts:
        if record.trials or folder.trials_file.exists():
            raise RunError(
                f"{folder.journal} is not the journal that this run was begun with; restore it or begin a new run"
            )
        record.remember("fingerprint", task.fingerprint)
        record.remember("options", options)
    if record.facts["fingerprint"] != task.fingerprint:
        raise RunError(
            f"the data of task {task.name} is not what {folder.path} was begun with; restore it or begin a new run"
        )
    # A run of an earlier version has no word on options that came since: it had their defaults.
    begun = SearchConfig().identity() | record.facts["options"]
    changed = [name for name, value in options.items() if begun[name] != value]
    if changed:
        raise RunError(
            f"{', '.join(changed)} in {folder.config_file} changed since the run was begun; restore them or begin a new run"
        )


def first_round(config: SearchConfig) -> int:
    """Trainings before the first fit: a quarter of the budget, but no more than a predictor needs to begin with."""
    return min(config.trainings, max(config.round, min(-(-config.trainings // 4), MOST_UNGUIDED), FEWEST_TO_FIT))


def confirmations(config: SearchConfig) -> int:
    """Trainings kept for training the leaders again; none where the budget is too small to part with any."""
    return int(config.confirm * config.trainings) if config.trainings >= 10 else 0


def training_seed(seed: int, digest: str, repeat: int) -> int:
    """Seed of one training: depends on the study, the candidate and the repeat, on nothing else."""
    return derive(seed, "training", digest, repeat) % 2**31
