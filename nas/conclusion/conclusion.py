"""The end of a search, step by step: winner, baselines, predictor, front, report."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

import onnx_graph
from nas import __version__
from nas.conclusion.figures import Figures
from nas.conclusion.final_predictor import fit_and_save
from nas.conclusion.finishing import Finisher
from nas.conclusion.looked_up import front_row, untrained_row
from nas.conclusion.random_baseline import random_search
from nas.conclusion.retraining import Retrained, as_found, measure_and_export, retrain
from nas.duration import duration
from nas.engine.budget import trainings
from nas.engine.expected import expected
from nas.engine.leaders import best_by_hand, front, winner
from nas.engine.remaining_time import Work, after_search
from nas.engine.search_loop import Engine
from nas.errors import RunError
from nas.exporters.onnx_export import as_exported, raw_inputs, run
from nas.measure.costs.latency import latency
from nas.reports.confusion import Confusion
from nas.reports.report import Report, TaskFacts
from nas.reports.rows.front_row import FrontRow
from nas.reports.rows.network_row import NetworkRow
from nas.reports.rows.time_row import TimeRow
from nas.reports.rows.trial_row import TrialRow
from nas.reports.rows.way_row import WayRow
from nas.study.run_folder import write_text
from nas.study.trial import CandidateResult
from nas.tasks.accuracy_table import AccuracyTable
from nas.tasks.task import Task
from search_spaces import Candidate, MaskRecipe, has_masks

Say = Callable[[str], None]


def conclude(engine: Engine, *, on_stage: Say = lambda text: None) -> Report:
    """Write ``best.onnx``, ``report.json``, ``report.html`` and ``pareto.png``; returns the report."""
    from nas.reports.files import render

    folder = engine.folder
    folder.models.mkdir(exist_ok=True)
    trials = engine.record.trials
    if not trials:
        raise RunError("nothing was trained: no network that could be trained meets the constraints; loosen them")
    known = engine.feasible(trials)
    best = winner(engine.plan.objectives, known, tried=trials, alike=engine.plan.resolution)
    if engine.plan.table is not None:
        measured, baselines, random = _looked_up(engine, engine.plan.table, best, on_stage)
    else:
        finisher = Finisher(engine)
        measured, figures = _winner(finisher, best, on_stage)
        baselines, random = _baselines(finisher, best, figures, on_stage)
    on_stage(_with_time_left("writing the report", engine, Work()))
    rows = [_front_row(engine, result) for result in front(engine.plan.objectives, known)]
    fit_and_save(engine)
    engine.seconds.total = engine.clock() - engine.begun
    report = _report(engine, measured, baselines, rows, random)
    write_text(folder.report, json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n")
    render(folder, report)
    return report


def _winner(finisher: Finisher, best: CandidateResult, on_stage: Say) -> tuple[NetworkRow, Figures]:
    """Train the winner again, unless it is kept as it was found, finish it and export it."""
    engine = finisher.engine
    repeats = engine.plan.config.repeats
    drawn = isinstance(best.candidate.mask, MaskRecipe)
    config = dataclasses.replace(engine.plan.config, trainings=trainings(engine.record.trials))
    left = dataclasses.replace(after_search(config, kept=not drawn), space=best.candidate.space)
    several = f"the winner {best.candidate.digest} and its dense reference" if drawn else "the winner's dense reference"
    on_stage(_with_time_left(f"training {several} {repeats} times for the report", engine, left))
    retrained = retrain(engine, best.candidate) if drawn else as_found(engine, best.candidate)
    if finisher.task is not None:
        on_stage("training the winner on the whole training split")
    networks = finisher.finished(retrained)
    return measure_and_export(engine, networks, "winner", engine.folder.best, score=best.score)


def _baselines(
    finisher: Finisher, best: CandidateResult, figures: Figures, on_stage: Say
) -> tuple[list[NetworkRow], WayRow | None]:
    """The winner's architecture without a mask, the best by hand, and, if requested, the winner of random search and its costs.

    They have the same further trainings as the winner.
    """
    engine = finisher.engine
    models, rows = engine.folder.models, list[NetworkRow]()

    def row(networks: Retrained, name: str, file: Path) -> NetworkRow:
        return measure_and_export(engine, finisher.finished(networks), name, file, winner=figures)[0]

    if has_masks(engine.plan.space):
        dense = retrain(engine, engine.plan.space.dense(best.candidate), "static")
        rows = [row(dense, "dense", models / "dense.onnx")]
        by_hand = _by_hand(engine)
        rows += [] if by_hand is None else [row(by_hand, "by hand", models / "by_hand.onnx")]
    if not engine.plan.config.random_baseline:
        return rows, None
    found, spent = _random(engine, lambda one, path: row(retrain(engine, one), "random", path), on_stage)
    return [*rows, found], spent


def _looked_up(
    engine: Engine, table: AccuracyTable, best: CandidateResult, on_stage: Say
) -> tuple[NetworkRow, list[NetworkRow], WayRow | None]:
    """The winner and, if requested, that of random search, by their accuracies in the table; nothing is trained."""
    row = untrained_row(engine, table, best.candidate, "winner", engine.folder.best, score=best.score)
    if not engine.plan.config.random_baseline:
        return row, [], None
    other, spent = _random(engine, lambda found, path: untrained_row(engine, table, found, "random", path), on_stage)
    return row, [other], spent


def _random(
    engine: Engine, row_of: Callable[[Candidate, Path], NetworkRow], on_stage: Say
) -> tuple[NetworkRow, WayRow]:
    """The winner of random search, and what random search spent."""
    count = trainings(engine.record.trials)
    text = f"random search with {count} trainings, for comparison"
    config = engine.plan.config
    on_stage(_with_time_left(text, engine, Work(plain=count + config.repeats * (1 + (config.finish or 0)))))
    found, trials = random_search(engine)
    row = row_of(found.candidate, engine.folder.models / "random.onnx")
    spent = WayRow.of(
        "random baseline",
        tuple(map(TrialRow.of, trials)),
        epochs=engine.plan.training.epochs,
        sign=engine.plan.metric.sign,
        networks=[row],
    )
    return row, spent


def _by_hand(engine: Engine) -> Retrained | None:
    """The best reference of a guided search, also if it is the winner; None if the search ran no references."""
    plan = engine.plan
    found = best_by_hand(plan.objectives, plan.constraints, engine.record.trials, expected(plan, engine.record.trials))
    return None if found is None else as_found(engine, found.candidate, first=True)


def _with_time_left(text: str, engine: Engine, work: Work) -> str:
    left = engine.remaining.of(work)
    return text if left is None else f"{text} · about {duration(left)} left"


def _front_row(engine: Engine, result: CandidateResult) -> FrontRow:
    """A row of the front. If training can change the mask, it uses the stored trained network, if there is one."""
    if engine.plan.table is not None:
        return front_row(engine, result)
    stored = engine.recorder.networks.path(result.candidate.digest, 0)
    moves = engine.plan.method.moves or not isinstance(result.candidate.mask, MaskRecipe)
    trained = moves and stored.exists()
    model = onnx_graph.load(stored) if trained else engine.plan.space.build(result.candidate)
    model = as_exported(
        model, engine.plan.task, result.candidate, keep_dead_units=trained and engine.plan.method.grouped
    )
    return FrontRow.of(result, bytes_=onnx_graph.size(model), latency=result.metrics.get("latency") or latency(model))


def _report(
    engine: Engine,
    best: NetworkRow,
    baselines: Sequence[NetworkRow],
    rows: Sequence[FrontRow],
    random: WayRow | None,
) -> Report:
    table = engine.plan.table
    return Report(
        version=__version__,
        task=TaskFacts.of(engine.plan.task, looked_up="" if table is None else str(table)),
        config=engine.plan.config.to_json(),
        best=best,
        baselines=tuple(baselines),
        front=tuple(rows),
        trials=tuple(map(TrialRow.of, engine.record.trials)),
        seconds=TimeRow.all(engine.seconds),
        random=random,
        confusion=None if table is not None else _confusion(onnx_graph.load(engine.folder.best), engine.plan.task),
    )


def _confusion(model: ir.Model, task: Task) -> Confusion | None:
    """Confusion matrix of the exported winner on the test split; None if more than one answer may be right."""
    if task.test.legal is not None or task.test.y.ndim != 1:
        return None
    outputs = run(model, raw_inputs(task, task.test.x))
    classes = task.classes or tuple(str(number) for number in range(task.signature.outputs))
    return Confusion.of(task.test.y, np.argmax(outputs, axis=-1).astype(np.int64), classes)
