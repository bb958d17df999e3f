"""Trains a chosen candidate again with fresh seeds, measures it on the test split and exports the best training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

import onnx_graph
from nas.conclusion.figures import Figures
from nas.engine.expected import expected
from nas.engine.search_loop import Engine
from nas.errors import TrainingError
from nas.exporters.onnx_export import export
from nas.exporters.provenance import provenance
from nas.reports.rows.finish import Finish
from nas.reports.rows.network_row import NetworkRow
from nas.study.trial import Score, Trial
from nas.training.methods.method import Method
from nas.training.options import TrainingResult
from search_spaces import Candidate

FIRST_RETRAINING = 1000
"""Repeat number of the first retraining, far above the repeat numbers of the search, so that no seed is used twice."""


@dataclass(frozen=True, eq=False)
class Retrained:
    """The successful trainings of one candidate, with their networks.

    Attributes:
        grouped: whether the position of a weight among its neighbours matters (N:M), so that the export keeps dead units.
        sign: factor 1 or -1 that makes larger values of the metric better.
        expected: what the network was expected to reach on new examples when it was chosen; None if nothing more was known.
        finish: number of further trainings on the whole training split that the networks had; 0 if these made them no better.
        found: the networks before these; empty if they stayed as they were.
        before, after: mean metric on the whole validation split before and after further trainings; None if none were tried.
    """

    candidate: Candidate
    results: list[TrainingResult]
    models: list[ir.Model]
    grouped: bool
    sign: float
    expected: float | None = None
    finish: int = 0
    found: Sequence[ir.Model] = ()
    before: float | None = None
    after: float | None = None

    @property
    def best(self) -> int:
        """Index of the best training on the validation split; a network with the same answer for all examples comes last."""
        return max(
            range(len(self.results)), key=lambda i: (not self.results[i].dead, self.sign * self.results[i].accuracy)
        )


def retrain(
    engine: Engine, candidate: Candidate, method: Method | str | None = None, *, repeats: int | None = None
) -> Retrained:
    """Train a candidate again, `repeats` times (default: those of the configuration), by the search's method unless one is given.

    `TrainingError` if every training failed.
    """
    repeats = engine.plan.config.repeats if repeats is None else repeats
    numbers = range(FIRST_RETRAINING, FIRST_RETRAINING + repeats)
    start = engine.clock()
    trainings = engine.trainer.train([candidate] * repeats, list(numbers), method or engine.plan.method)
    engine.remaining.count_plain(sum(one.cost for one in trainings), engine.clock() - start)
    kept = [(one.result, one.trained()) for one in trainings if not isinstance(one.result, Exception)]
    if not kept:
        raise TrainingError(f"every retraining of {candidate.digest} failed: {trainings[0].result}")
    return Retrained(
        candidate,
        [result for result, _ in kept],
        [model for _, model in kept],
        grouped=engine.plan.method.grouped and method is None,
        sign=engine.plan.metric.sign,
    )


def as_found(engine: Engine, candidate: Candidate, *, first: bool = False) -> Retrained:
    """The network of a candidate whose mask was learned or inherited of which most is expected, kept as the search found it.

    Another training would find another mask, or lose the weights that were inherited.

    Args:
        engine: the search.
        candidate: the candidate.
        first: whether only its first training counts.
    """
    sign, runs = engine.plan.metric.sign, []
    hopes = expected(engine.plan, engine.record.trials)
    for trial in engine.record.trials:
        path = engine.recorder.networks.path(trial.digest, trial.repeat)
        wanted = trial.digest == candidate.digest and not (first and trial.repeat)
        if wanted and not trial.failed and path.exists():
            runs.append((trial, path))
    if not runs:
        return retrain(engine, candidate, repeats=1)
    trial, path = max(runs, key=lambda run: sign * hopes.get(run[0].number, run[0].accuracy or 0.0))
    return Retrained(
        candidate,
        [_result_of(trial)],
        [onnx_graph.load(path)],
        grouped=engine.plan.method.grouped,
        sign=sign,
        expected=hopes.get(trial.number),
    )


def _result_of(trial: Trial) -> TrainingResult:
    """What is known of a training whose network was kept."""
    assert trial.accuracy is not None
    return TrainingResult(
        accuracy=trial.accuracy,
        weights={},
        losses=(),
        accuracies=(),
        dead_units=trial.dead_units,
        seconds=trial.seconds,
        seed=trial.seed,
    )


def measure_and_export(
    engine: Engine,
    retrained: Retrained,
    name: str,
    path: Path,
    *,
    score: Score | None = None,
    winner: Figures | None = None,
) -> tuple[NetworkRow, Figures]:
    """Measure every training on the test split and export the network that is best on the validation split.

    `winner` are the figures of the winner, if another network is to be compared with it.
    """
    task, results = engine.plan.task, retrained.results
    figures = _figures(engine, retrained.models)
    accuracies = figures.values
    index = retrained.best
    origin = provenance(task, retrained.candidate, results[index].accuracy, results[index].seed)
    exported = export(
        retrained.models[index],
        path,
        task=task,
        origin=origin | _finish_stated(retrained) | {"test_" + task.metric: f"{accuracies[index]:.6f}"},
        keep_dead_units=retrained.grouped,
    )
    row = NetworkRow(
        name=name,
        digest=retrained.candidate.digest,
        candidate=retrained.candidate.to_json(),
        accuracies=accuracies,
        validation=tuple(result.accuracy for result in results),
        seeds=tuple(result.seed for result in results),
        nnz=exported.nnz,
        bytes=exported.bytes,
        latency=exported.latency,
        largest_error=exported.largest_error,
        file=str(path.relative_to(engine.folder.path)),
        score=score,
        interval=figures.interval,
        expected=retrained.expected,
        error=None if winner is None else winner.error_against(figures),
        finish=_finish(engine, retrained),
    )
    return row, figures


def _figures(engine: Engine, models: Sequence[ir.Model]) -> Figures:
    from nas.training.single import answers

    task = engine.plan.task
    return Figures.of([answers(model, task, task.test, device=engine.plan.config.device) for model in models], task)


def _finish(engine: Engine, retrained: Retrained) -> Finish | None:
    """What the report says of further trainings; None if none were tried."""
    if retrained.before is None or retrained.after is None:
        return None
    found = _figures(engine, retrained.found).values if retrained.found else ()
    return Finish(trainings=retrained.finish, found=found, before=retrained.before, after=retrained.after)


def _finish_stated(retrained: Retrained) -> dict[str, str]:
    """Metadata of a network that had further trainings."""
    if not retrained.finish:
        return {}
    several = "1 further training" if retrained.finish == 1 else f"{retrained.finish} further trainings"
    return {"finish": f"{several} on the whole training split"}
