"""Single networks: train one ONNX file, export one trial of a run."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import onnx_ir as ir

import onnx_graph
from nas.engine.plan import data_of, method_of, resolve
from nas.engine.search_loop import Engine, open_engine
from nas.errors import RunError, TrainingError, UsageError
from nas.exporters.onnx_export import Exported, copy_of, export, export_untrained
from nas.exporters.provenance import of_task, provenance
from nas.exporters.registry import format_of
from nas.measure.costs import counts_in_file
from nas.measure.device_check import require_device
from nas.metrics import METRICS
from nas.seeds import derive
from nas.study.config import SearchConfig
from nas.study.run_folder import RunFolder
from nas.study.trial import Trial
from nas.tasks.task import Task
from nas.training.options import TrainingResult
from nas.verbs.compatibility import read_trainable, require_trainable
from nas.verbs.preprocessing import adapt
from nas.verbs.search import task_of


def train_file(
    path: Path,
    config: SearchConfig,
    out: Path | None,
    *,
    density: float | None = None,
    progress: Callable[[int, int, float, float], None] = lambda repeat, epoch, loss, accuracy: None,
    on_remark: Callable[[str], None] = lambda text: None,
) -> tuple[list[dict[str, Any]], Exported | None]:
    """Train the network of an ONNX file `config.repeats` times with the mask method of the configuration.

    Args:
        path: ONNX file of the network.
        config: configuration with task, training options and method.
        out: file for the network that is best on the validation split, or None.
        density: share of the weights to keep at the end; None means the number of non-zeros in the file.
        on_remark: called with the decision about the model's inputs, and its reason.
        progress: called after every epoch with the training's number (from 0), the epoch, mean loss and validation metric.

    Returns:
        One row per training, and the facts about the written file. A row has seed, validation and test metric, nnz and density
        of the exported network, dead weights and units (which are not exported), epochs and seconds, and, if the training
        starts from the model's own weights, the validation metric ``before``.

    Raises:
        TrainingError: a training diverged, or every trained network gives the same answer for all examples.
    """
    from nas.training.single import evaluate, train
    from nas.training.trained import apply_result

    require_device(config.device)
    if out is not None:
        _require_writable(out)
    task = data_of(config)
    config = config.resolved(len(task.train))
    method = method_of(config)
    keeps = config.training_options().init == "keep"
    model = read_trainable(path)
    require_trainable(model, task)
    adapted = adapt(model, task, config.preprocessing, pretrained=keeps, device=config.device)
    if adapted.remark:
        on_remark(adapted.remark)
    model, task = adapted.model, adapted.task
    before = evaluate(model, task, task.validation, device=config.device) if keeps else None
    rows, networks, dead = [], [], list[str]()
    for repeat in range(config.repeats):
        result = train(
            model,
            task,
            config.training_options(),
            method=method,
            density=density,
            seed=derive(config.seed, "train", repeat) % 2**31,
            device=config.device,
            progress=partial(progress, repeat),
        )
        trained = apply_result(model, result)
        networks.append(trained)
        dead.append(result.dead)
        test = evaluate(trained, task, task.test, device=config.device)
        rows.append(_row(result, trained, test, before, keep_dead_units=method.grouped))
    if all(dead):
        raise TrainingError(f"{dead[0]}; nothing is written. Try another density, method, seed or learning rate")
    for number, reason in enumerate(dead, start=1):
        if reason:
            on_remark(f"training {number} of {len(dead)}: {reason}")
    if out is None:
        return rows, None
    sign = METRICS.load(task.metric).sign
    best = max((i for i in range(len(rows)) if not dead[i]), key=lambda i: sign * float(rows[i]["validation"]))
    origin = _origin(path, task, rows, best) | {"method": config.drawn_method}
    return rows, export(networks[best], out, task=task, origin=origin, keep_dead_units=method.grouped)


def _row(
    result: TrainingResult, trained: ir.Model, test: float, before: float | None, *, keep_dead_units: bool
) -> dict[str, Any]:
    """One training as a row; `before` is the validation metric of the model's own weights, if they are the start."""
    count = counts_in_file(trained, keep_dead_units=keep_dead_units)
    return {
        "seed": result.seed,
        "validation": result.accuracy,
        "test": test,
        "nnz": int(count["nnz"]),
        "density": count["density"],
        "dead_weights": onnx_graph.count(trained).nnz - int(count["nnz"]),
        **({"before": before} if before is not None else {}),
        "dead_units": result.dead_units,
        "epochs": len(result.losses),
        "seconds": result.seconds,
    }


def _origin(path: Path, task: Task, rows: Sequence[Mapping[str, Any]], best: int) -> dict[str, str]:
    """Metadata of the exported file about its training."""
    return {
        "source": path.name,
        f"validation_{task.metric}": f"{rows[best]['validation']:.6f}",
        f"test_{task.metric}": f"{rows[best]['test']:.6f}",
        f"mean_test_{task.metric}": f"{mean(float(row['test']) for row in rows):.6f}",
        "seed": str(rows[best]["seed"]),
    } | of_task(task)


def export_trial(path: Path, number: int | None, out: Path) -> Exported:
    """Export a trial of a run (default: the winner, as in ``best.onnx``).

    The run keeps the trained networks of leaders, which are exported directly; other trials are trained again with their seed.
    The run is only read, so its folder may be read-only.
    """
    _require_writable(out)
    folder = RunFolder(path)
    config = folder.config()
    if number is None and not folder.best.exists():
        raise RunError(f"{folder.path} has no best.onnx yet: finish it with `nas resume {folder.path}`")
    plan = resolve(config, task_of(config))
    task = plan.task
    with folder.reading():
        engine = open_engine(plan, folder, read_only=True)
    if number is None:
        return copy_of(folder.best, out, task)
    trial = _trial(engine.record.trials, number)
    if plan.table is not None:
        origin = provenance(task, trial.candidate, trial.accuracy or 0.0, trial.seed) | {"looked_up": str(plan.table)}
        return export_untrained(plan.space.build(trial.candidate), out, task=task, origin=origin)
    stored = engine.recorder.networks.path(trial.digest, trial.repeat)
    if stored.exists():
        model = onnx_graph.load(stored)
    else:
        model = _trained_again(engine, trial)
    return export(model, out, task=task, origin=provenance(task, trial.candidate, trial.accuracy or 0.0, trial.seed))


def _trained_again(engine: Engine, trial: Trial) -> ir.Model:
    """The network of a trial that is not kept, trained as in the search."""
    return engine.trainer.train([trial.candidate], [trial.repeat], engine.plan.method)[0].trained()


def _require_writable(out: Path) -> None:
    """Refuse a file that cannot be written, before the work begins."""
    format_of(out)
    if not out.absolute().parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no folder {out.parent}")


def _trial(trials: Sequence[Trial], number: int) -> Trial:
    if not 0 <= number < len(trials):
        raise UsageError(f"the run has no trial {number}; it has {len(trials)}, from 0")
    if trials[number].failed:
        raise UsageError(f"trial {number} failed: {trials[number].error}")
    return trials[number]
