"""Records a round: every training becomes a trial, and the networks of the leaders are kept as files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

import onnx_graph
from nas.engine.expected import expected
from nas.engine.keep import EXACT
from nas.engine.leaders import best_by_hand, feasible, front, ranked, winner
from nas.engine.measurer import Training
from nas.engine.network_files import NetworkFiles
from nas.engine.plan import SearchPlan
from nas.engine.planner import RoundPlan
from nas.exporters.onnx_export import as_exported
from nas.measure.costs import COSTS, counts_in_file, measure_all
from nas.study.constraints import on_costs
from nas.study.learning_curves import LearningCurve
from nas.study.record import Record
from nas.study.run_folder import RunFolder
from nas.study.trial import Trial, results_by_candidate
from nas.study.way import Way
from search_spaces import MaskRecipe, Ticket

KEPT_LEADERS = 20
"""Number of leaders whose networks are kept, in addition to the Pareto front."""
TRAINED_ON = 10_000
"""Most training examples on which a trained network is measured."""


@dataclass(frozen=True, eq=False)
class Recorder:
    """Writes trainings into the run folder. If the method changes the mask, costs are counted again."""

    record: Record
    folder: RunFolder
    plan: SearchPlan

    @property
    def networks(self) -> NetworkFiles:
        """The files of the kept networks."""
        return NetworkFiles(self.folder.models)

    def add(self, plan: RoundPlan, trainings: Sequence[Training]) -> None:
        """Add the trials that the record lacks. A network is saved before its trial is recorded."""
        first = sum(trial.round < plan.round for trial in self.record.trials)
        self._write_curves(plan.round, first, trainings)
        for index, training in enumerate(trainings):
            trial = replace(trial_of(plan, index, first + index, training), way=self._way(plan, index))
            if trial.number < len(self.record.trials):
                continue
            if not trial.failed and training.model is not None:
                model = training.trained()
                found = not isinstance(trial.candidate.mask, MaskRecipe)
                if found:
                    trial = replace(trial, ticket=Ticket.of(onnx_graph.masks(model).values()))
                trial = self._measured(trial, model) if found or self.plan.method.moves else trial
                trial = self._with_further_metrics(self._with_train_accuracy(trial, model), model)
                self.networks.save(trial.digest, trial.repeat, model)
            self.record.add(trial)
        self._keep_leaders()
        self.folder.write_trials(self.record.trials)

    def _write_curves(self, round_: int, first: int, trainings: Sequence[Training]) -> None:
        """Write the learning curves before the trials are recorded, so that no trial lacks its own. A look-up has none."""
        results = {first + index: one.result for index, one in enumerate(trainings)}
        curves = {
            number: LearningCurve.of(result.losses, result.accuracies)
            for number, result in results.items()
            if not isinstance(result, Exception) and result.losses
        }
        if curves:
            self.folder.write_curves(round_, curves)

    def _way(self, plan: RoundPlan, index: int) -> Way:
        """How the candidate was found: a candidate that is trained again keeps its way."""
        digest = plan.chosen[index][0].digest
        return next((trial.way for trial in self.record.trials if trial.digest == digest), plan.way)

    def _measured(self, trial: Trial, model: ir.Model) -> Trial:
        """The trial with the costs of the trained network; a failed trial if they break a constraint.

        A method keeps the number of non-zeros, but some of them may lose their connection to input or output, and dead
        units may become connected again, which costs bytes and time.
        """
        grouped = self.plan.method.grouped
        metrics = counts_in_file(model, keep_dead_units=grouped)
        missing = [name for name in trial.metrics if name in COSTS and name not in metrics]
        metrics |= measure_all(
            missing, model, lambda: as_exported(model, self.plan.task, trial.candidate, keep_dead_units=grouped)
        )
        broken = [c for c in on_costs(self.plan.constraints) if c.excess(metrics) > 0]
        if not broken:
            return replace(trial, metrics=metrics)
        first = broken[0]
        error = f"after training {first.metric} is {metrics[first.metric]:g}, which breaks the constraint {first}"
        return replace(trial, metrics=metrics, accuracy=None, error=error)

    def _with_train_accuracy(self, trial: Trial, model: ir.Model) -> Trial:
        """The trial with the metric of the search on the training split."""
        from nas.training.single import evaluate

        task, device = self.plan.task, self.plan.config.device
        found = evaluate(model, task, task.train.first(TRAINED_ON), metric=self.plan.metric.name, device=device)
        return replace(trial, train_accuracy=found)

    def _with_further_metrics(self, trial: Trial, model: ir.Model) -> Trial:
        """The trial with all other metrics of objectives and constraints, measured on the validation split."""
        from nas.training.single import evaluate

        plan = self.plan
        found = {
            name: evaluate(model, plan.task, plan.task.validation, metric=name, device=plan.config.device)
            for name in plan.further_metrics
        }
        return replace(trial, metrics={**trial.metrics, **found}) if found else trial

    def _keep_leaders(self) -> None:
        goals = self.plan.objectives
        trials = self.record.trials
        hopes = expected(self.plan, trials)
        known = feasible(goals, self.plan.constraints, results_by_candidate(trials, hopes))
        by_hand = best_by_hand(goals, self.plan.constraints, trials, hopes)
        kept = [*ranked(goals, known)[:KEPT_LEADERS], *front(goals, known), *([] if by_hand is None else [by_hand])]
        if known:
            kept.append(winner(goals, known, alike=self.plan.resolution))
        self.networks.keep_only([*(result.candidate.digest for result in kept), *self._of_last_round()])

    def _of_last_round(self) -> list[str]:
        """Digests of the last round if its networks have children that are fitted to bounds, whether they lead or not."""
        trials = self.record.trials
        if all(bound.metric in EXACT for bound in on_costs(self.plan.constraints)):
            return []
        return [trial.digest for trial in trials if trial.round == trials[-1].round]


def trial_of(plan: RoundPlan, index: int, number: int, training: Training) -> Trial:
    """The trial for one training of a plan: the candidate at `index`, as trial `number` of the run."""
    member, score = plan.chosen[index]
    result = training.result
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
        seed=training.seed,
        cost=training.cost,
        dead_units=dead_units,
        error=error,
        proposal=member.proposal if plan.repeats[index] == 0 else None,
    )
