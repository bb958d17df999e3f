"""The end of a search: train the winner and its baselines anew, read the test split once, export, report."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

import onnx_graph
from nas import __version__
from nas.engine.leaders import front, winner
from nas.engine.search_loop import Engine, open_engine, training_seed
from nas.errors import TrainingError, write_failure
from nas.exporters.onnx_export import as_exported, export
from nas.exporters.provenance import provenance
from nas.measure.costs.latency import latency
from nas.reports import report as reports
from nas.reports.report import Measured
from nas.study.run_folder import RunFolder, write_text
from nas.study.trial import CandidateResult
from search_spaces.candidate import Candidate

if TYPE_CHECKING:
    from nas.training.methods.method import Method

FIRST_RETRAINING = 1000
"""Repeat number of the first retraining, far from those of the search, so that no seed is used twice."""


def conclude(engine: Engine, *, on_stage: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Write `best.onnx`, `report.json`, `report.html` and `pareto.png`; returns the report."""
    engine.folder.models.mkdir(exist_ok=True)
    config, folder, task = engine.config, engine.folder, engine.task
    known = engine.feasible(engine.record.trials)
    best = winner(engine.objectives, known, tried=engine.record.trials)
    on_stage(
        f"training the winner {best.candidate.digest} and its dense reference {config.repeats} times for the report"
    )
    measured = _retrain(engine, best.candidate, "winner", folder.best, best)
    dense = engine.space.dense(best.candidate)
    baselines = [_retrain(engine, dense, "dense", folder.models / "dense.onnx", method="static")]
    if config.random_baseline:
        on_stage(f"random search with {config.trainings} trainings, for comparison")
        baselines.append(_random_baseline(engine))
    rows = [_front_row(engine, result) for result in front(engine.objectives, known)]
    engine.fit(engine.record.trials)
    if engine.predictor is not None:
        import predictors

        provenance: dict[str, Any] = {
            "task": task.name,
            "task_fingerprint": task.fingerprint,
            "space": engine.space.name,
            "seed": config.seed,
        }
        tasks = {} if engine.description is None else {task.name: engine.description}
        predictors.save(engine.predictor, folder.predictor, provenance=provenance, tasks=tasks)
    engine.seconds.total = time.perf_counter() - engine.begun
    report = reports.build(
        config=config.to_json(),
        task=task,
        trials=engine.record.trials,
        front=rows,
        best=measured,
        baselines=baselines,
        seconds=engine.seconds,
        version=__version__,
    )
    write_text(folder.report, json.dumps(report, indent=1, allow_nan=False) + "\n")
    render(folder, report)
    return report


def render(folder: RunFolder, report: dict[str, Any], out: Path | None = None) -> None:
    """Write the page and the picture of a report into the run, or into the folder `out`, which is made where there is none."""
    from nas.reports import page, picture

    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failure(out, error) from error
    there = RunFolder(out or folder.path)
    picture.write(there.picture, report)
    page.write(there.page, report, folder)


def _retrain(
    engine: Engine,
    candidate: Candidate,
    name: str,
    path: Path,
    result: CandidateResult | None = None,
    *,
    method: "Method | str | None" = None,
) -> Measured:
    """Train with fresh seeds, measure each on the test split, export the one that is best on validation.

    `method` is that of the search unless another is given.
    """
    from nas.training.single import evaluate

    task = engine.task
    results, models = _train(engine, candidate, engine.config.repeats, method or engine.method)
    grouped = engine.method.grouped and method is None
    accuracies = tuple(evaluate(model, task, task.test, device=engine.config.device) for model in models)
    sign = engine.metric.sign
    index = max(range(len(results)), key=lambda i: (not results[i].dead, sign * results[i].accuracy))
    exported = export(
        models[index],
        path,
        task=task,
        origin=provenance(task, candidate, results[index].accuracy, results[index].seed)
        | {"test_" + task.metric: f"{accuracies[index]:.6f}"},
        keep_dead_units=grouped,
    )
    score = result.score if result is not None else None
    return Measured(
        name=name,
        digest=candidate.digest,
        candidate=candidate.to_json(),
        accuracies=accuracies,
        validation=tuple(result.accuracy for result in results),
        seeds=tuple(result.seed for result in results),
        nnz=exported.nnz,
        bytes=exported.bytes,
        latency=exported.latency,
        largest_error=exported.largest_error,
        file=str(path.relative_to(engine.folder.path)),
        score=None if score is None else {"mean": score.mean, "std": score.std},
    )


def _train(
    engine: Engine, candidate: Candidate, repeats: int, method: "Method | str"
) -> "tuple[list[Any], list[ir.Model]]":
    """Retrainings with fresh seeds: results and models with the trained weights."""
    from nas.training.population import train_population

    config = engine.config
    models = [engine.space.build(candidate) for _ in range(repeats)]
    seeds = [training_seed(config.seed, candidate.digest, FIRST_RETRAINING + i) for i in range(repeats)]
    start = time.perf_counter()
    results = train_population(
        models, engine.task, engine.plan.training, seeds=seeds, method=method, device=config.device
    )
    engine.seconds.training += time.perf_counter() - start
    kept = [(result, model) for result, model in zip(results, models, strict=True) if not isinstance(result, Exception)]
    if not kept:
        raise TrainingError(f"every retraining of {candidate.digest} failed: {results[0]}")
    for result, model in kept:
        onnx_graph.set_weights(model, dict(result.weights))
    return [result for result, _ in kept], [model for _, model in kept]


def _random_baseline(engine: Engine) -> Measured:
    """Random search under the same constraints with as many trainings, in a run folder of its own."""
    plan = engine.plan.random_baseline(len(engine.record.trials))
    folder = RunFolder(engine.folder.path / "random")
    if not folder.config_file.exists():
        folder.create(plan.config)
    baseline = open_engine(plan, folder, on_progress=engine.on_progress, seconds=engine.seconds)
    baseline.run()
    best = winner(baseline.objectives, baseline.feasible(baseline.record.trials), tried=baseline.record.trials)
    return _retrain(engine, best.candidate, "random", engine.folder.models / "random.onnx")


def _front_row(engine: Engine, result: CandidateResult) -> dict[str, Any]:
    """A row of the front: its network as it was trained, where the run still has it."""
    stored = engine.folder.models / engine.model_file(result.candidate.digest, 0)
    trained = engine.method.moves and stored.exists()
    model = onnx_graph.load(stored) if trained else engine.space.build(result.candidate)
    model = as_exported(model, engine.task, result.candidate, keep_dead_units=trained and engine.method.grouped)
    return reports.front_row(
        result, bytes_=onnx_graph.size(model), latency=result.metrics.get("latency") or latency(model)
    )
