"""Single networks: train one ONNX file, export one trial of a run."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import onnx_graph
from nas.engine.search_loop import open_engine
from nas.errors import RunError, UsageError
from nas.exporters.onnx_export import Exported, copy_of, export
from nas.exporters.provenance import of_task, provenance
from nas.measure.device_check import require_device
from nas.seeds import derive
from nas.study.config import SearchConfig
from nas.study.run_folder import RunFolder
from nas.study.trial import Trial
from nas.tasks.task import Task
from nas.verbs.compatibility import require_trainable
from nas.verbs.search import task_of


def train_file(
    path: Path,
    config: SearchConfig,
    out: Path | None,
    *,
    density: float | None = None,
    progress: Callable[[int, int, float, float], None] = lambda repeat, epoch, loss, accuracy: None,
) -> tuple[list[dict[str, Any]], Exported | None]:
    """Train an ONNX file's network `config.repeats` times by the configuration's mask method.

    Args:
        path: the network.
        config: task, training options, method.
        out: where the network that is best on the validation split is written, or None.
        density: share of the weights to end with; None: as many as the file has non-zeros.
        progress: called after every epoch with the training's number (from 0), the epoch, mean loss and validation metric.

    Returns:
        One row a training (seed, validation and test metric, nnz, density, dead units, epochs, seconds, notes of the method;
        where the model's own weights are the start, the validation metric ``before``), and what was written.
    """
    from nas.training.single import evaluate, train
    from nas.training.trained import apply_result

    require_device(config.device)
    if out is not None:
        _require_writable(out)
    task = task_of(config)
    config = config.resolved(len(task.train))
    model = onnx_graph.simplify(onnx_graph.load(path))
    require_trainable(model, task)
    method = config.training_method()
    keeps = config.training_options().init == "keep"
    before = evaluate(model, task, task.validation, device=config.device) if keeps else None
    rows, networks = [], []
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
        count = onnx_graph.count(trained)
        networks.append(trained)
        rows.append(
            {
                "seed": result.seed,
                "validation": result.accuracy,
                "test": evaluate(trained, task, task.test, device=config.device),
                "nnz": count.nnz,
                "density": count.nnz / max(count.weights, 1),
                **({"before": before} if before is not None else {}),
                "dead_units": result.dead_units,
                "epochs": len(result.losses),
                "seconds": result.seconds,
            }
        )
    if out is None:
        return rows, None
    best = max(range(len(rows)), key=lambda i: float(rows[i]["validation"]))
    origin = _origin(path, task, rows, best) | {"method": config.method}
    return rows, export(networks[best], out, task=task, origin=origin, keep_dead_units=method.grouped)


def _origin(path: Path, task: Task, rows: Sequence[Mapping[str, Any]], best: int) -> dict[str, str]:
    """What the exported file says of its training."""
    return {
        "source": path.name,
        f"validation_{task.metric}": f"{rows[best]['validation']:.6f}",
        f"test_{task.metric}": f"{rows[best]['test']:.6f}",
        f"mean_test_{task.metric}": f"{mean(float(row['test']) for row in rows):.6f}",
        "seed": str(rows[best]["seed"]),
    } | of_task(task)


def export_trial(path: Path, number: int | None, out: Path) -> Exported:
    """Export a trial of a run (default: the winner, as in ``best.onnx``).

    A leader's network is kept in the run and exported as it was trained; another trial is trained again with its seed.
    """
    _require_writable(out)
    folder = RunFolder(path)
    config = folder.config()
    task = task_of(config)
    with folder.lock():
        engine = open_engine(config, folder, task)
    if number is None:
        if not folder.best.exists():
            raise RunError(f"{folder.path} has no best.onnx yet: finish it with `nas resume {folder.path}`")
        return copy_of(folder.best, out)
    trial = _trial(engine.record.trials, number)
    stored = folder.models / engine.model_file(trial.digest, trial.repeat)
    if stored.exists():
        model = onnx_graph.load(stored)
    else:
        from nas.training.single import train
        from nas.training.trained import apply_result

        model = engine.space.build(trial.candidate)
        model = apply_result(
            model,
            train(
                model,
                task,
                config.training_options(),
                method=engine.method,
                seed=trial.seed,
                device=config.device,
            ),
        )
    return export(model, out, task=task, origin=provenance(task, trial.candidate, trial.accuracy or 0.0, trial.seed))


def _require_writable(out: Path) -> None:
    """Refuse a target that could not be written, before the work is done."""
    if out.suffix != ".onnx":
        raise UsageError(f"--out must be a .onnx file, got {out}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no folder {out.parent}")


def _trial(trials: Sequence[Trial], number: int) -> Trial:
    if not 0 <= number < len(trials):
        raise UsageError(f"the run has no trial {number}; it has {len(trials)}, from 0")
    if trials[number].failed:
        raise UsageError(f"trial {number} failed: {trials[number].error}")
    return trials[number]
