"""Single networks: train one ONNX file, export one trial of a run."""

from pathlib import Path
from statistics import mean
from typing import Any

import onnx_graph
from nas import __version__
from nas.config import SearchConfig
from nas.device import require_device
from nas.engine import winner
from nas.errors import RunError, UsageError
from nas.export.export import Exported, export
from nas.objectives import parse
from nas.record import Record
from nas.run_folder import RunFolder
from nas.search import task_of
from nas.seeds import derive
from nas.trial import Trial, standings


def train_file(path: Path, config: SearchConfig, out: Path | None) -> tuple[list[dict[str, Any]], Exported | None]:
    """Train an ONNX file's network `config.repeats` times with its mask fixed.

    Returns:
        One row a training (seed, validation and test metric, nnz, density, dead units, seconds), and what was written to
        `out`: the network that is best on the validation split.
    """
    from nas.training.train import evaluate, train

    require_device(config.device)
    if out is not None and out.suffix != ".onnx":
        raise UsageError(f"--out must be a .onnx file, got {out}")
    task = task_of(config)
    config = config.resolved(len(task.train))
    model = onnx_graph.simplify(onnx_graph.load(path))
    count = onnx_graph.count(model)
    rows, networks = [], []
    for repeat in range(config.repeats):
        result = train(
            model,
            task,
            config.training_options(),
            seed=derive(config.seed, "train", repeat) % 2**31,
            device=config.device,
        )
        trained = model.clone()
        onnx_graph.set_weights(trained, dict(result.weights))
        networks.append(trained)
        rows.append(
            {
                "seed": result.seed,
                "validation": result.accuracy,
                "test": evaluate(trained, task, task.test, device=config.device),
                "nnz": count.nnz,
                "density": count.nnz / max(count.weights, 1),
                "dead_units": result.dead_units,
                "seconds": result.seconds,
            }
        )
    if out is None:
        return rows, None
    best = max(range(len(rows)), key=lambda i: float(rows[i]["validation"]))
    provenance = {
        "source": path.name,
        "task": task.name,
        "task_fingerprint": task.fingerprint,
        f"validation_{task.metric}": f"{rows[best]['validation']:.6f}",
        f"test_{task.metric}": f"{rows[best]['test']:.6f}",
        f"mean_test_{task.metric}": f"{mean(float(row['test']) for row in rows):.6f}",
        "seed": str(rows[best]["seed"]),
        "version": __version__,
    }
    return rows, export(networks[best], out, task=task, provenance=provenance)


def export_trial(path: Path, number: int | None, out: Path) -> Exported:
    """Export a trial of a run with the weights that its training gave (default: the winner's best training)."""
    if out.suffix != ".onnx":
        raise UsageError(f"--out must be a .onnx file, got {out}")
    folder = RunFolder(path)
    config = folder.config()
    with folder.lock():
        record = Record(folder.journal, parse(config.objective))
    trial = _trial(record.trials, number, config)
    stored = folder.models / f"{trial.digest}-{trial.repeat}.onnx"
    if not stored.exists():
        raise RunError(
            f"trial {trial.number} is not among the leaders whose networks are kept; train it again with `nas train`"
        )
    task = task_of(config)
    provenance = {
        "candidate": str(trial.candidate.to_json()),
        "digest": trial.digest,
        "task": task.name,
        "task_fingerprint": task.fingerprint,
        f"validation_{task.metric}": f"{trial.accuracy:.6f}",
        "seed": str(trial.seed),
        "version": __version__,
    }
    return export(onnx_graph.load(stored), out, task=task, provenance=provenance)


def _trial(trials: list[Trial], number: int | None, config: SearchConfig) -> Trial:
    if number is None:
        best = winner(parse(config.objective), standings(trials))
        own = [t for t in trials if t.digest == best.candidate.digest and t.accuracy is not None]
        return max(own, key=lambda trial: trial.accuracy or 0.0)
    for trial in trials:
        if trial.number == number:
            if trial.failed:
                raise UsageError(f"trial {number} failed: {trial.error}")
            return trial
    raise UsageError(f"the run has no trial {number}; it has {len(trials)}, from 0")
