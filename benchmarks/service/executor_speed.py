"""How long does the same search take with the executors `local`, `processes` and `ray`, and are its trials the same bit by bit?

One search on digits, with two workers for `processes` and a local Ray cluster of two cores for `ray`; wall-clock seconds of the whole
search, means over the seeds, and the ratio to `local`. Starting the workers is part of it. "Equal": the trials (candidates, seeds,
accuracies, losses of every epoch) and the file best.onnx are those of `local`. `ray` is left out if Ray is not installed
(pip install "nas-sparse[ray]"). Bar: all equal. With one thread for each process, since the executors give their workers as many
threads as the search has: OMP_NUM_THREADS=1.
Usage: [OMP_NUM_THREADS=1] python -m benchmarks.service.executor_speed [--trainings N] [--seeds N] [--quick] [--again] [--print]
"""

import hashlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, Literal, get_args

import optuna
from rich.console import Console
from rich.table import Table

import nas
from benchmarks.support.stored_parts import StoredParts, arguments

QUESTION = (__doc__ or "").splitlines()[0]
Executor = Literal["local", "processes", "ray"]
EXECUTORS: tuple[Executor, ...] = get_args(Executor)
WORKERS = 2


def main() -> None:
    """Measure what is missing, store and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--trainings", type=int, help="default: 32")
    parser.add_argument("--seeds", type=int, help="default: 3")
    args = parser.parse_args()
    trainings, seeds = args.trainings or (4 if args.quick else 32), args.seeds or (1 if args.quick else 3)
    settings = {
        "trainings": trainings,
        "seeds": seeds,
        "workers": WORKERS,
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }
    store = StoredParts("executor_speed", QUESTION, quick=args.quick, again=args.again)
    for name in () if args.print else EXECUTORS:
        if name == "ray" and importlib.util.find_spec("ray") is None:
            print('ray: left out, Ray is not installed (pip install "nas-sparse[ray]")')
            continue
        store.measure(name, settings, partial(measured, name, trainings, seeds))
    if "local" not in store.parts:
        raise SystemExit("nothing is stored yet")
    parts = {name: part for name, part in store.parts.items() if part["settings"] == store.parts["local"]["settings"]}
    show(parts)
    sys.exit(not all(equal(parts, name) for name in parts))


def measured(executor: Executor, trainings: int, seeds: int) -> dict[str, Any]:
    """Seconds of each search, and a hash of what it found."""
    if executor == "ray":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        alone = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        ray.init(num_cpus=WORKERS, _node_ip_address="127.0.0.1", **alone)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        searched(executor, 2, 0)  # loads everything that a process loads once
        rows = [searched(executor, trainings, seed) for seed in range(1, 1 + seeds)]
    finally:
        if executor == "ray":
            ray.shutdown()
    return {"searches": rows}


def searched(executor: Executor, trainings: int, seed: int) -> dict[str, Any]:
    """One search: its seconds, the seconds of its trainings, and hashes of its trials and of its winner."""
    config = nas.SearchConfig(
        task="digits",
        space="mlp",
        constraint=("nnz<=300",),
        trainings=trainings,
        seed=seed,
        executor=executor,
        workers=WORKERS if executor == "processes" else None,
    )
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        report = nas.search(config, Path(folder) / "run")
        seconds = time.perf_counter() - began
        best = (Path(folder) / "run" / "best.onnx").read_bytes()
    trials = [{name: value for name, value in trial.items() if name != "seconds"} for trial in report["trials"]]
    return {
        "seed": seed,
        "seconds": round(seconds, 2),
        "training_seconds": round(report["seconds"]["training"], 2),
        "trials": len(trials),
        "trials_sha256": hashlib.sha256(repr(trials).encode()).hexdigest(),
        "best_sha256": hashlib.sha256(best).hexdigest(),
    }


def equal(parts: Mapping[str, Mapping[str, Any]], name: str) -> bool:
    """Whether an executor found what `local` found."""
    return _found(parts[name]) == _found(parts["local"])


def _found(part: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(row["trials_sha256"], row["best_sha256"]) for row in part["searches"]]


def show(parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the table."""
    local = mean(row["seconds"] for row in parts["local"]["searches"])
    table = Table(title="the same searches by executor")
    for head in ("executor", "seeds", "trials", "seconds", "of which training", "times local", "equal", "machine load"):
        table.add_column(head, justify="left" if head == "executor" else "right")
    for name, part in parts.items():
        rows = part["searches"]
        seconds = mean(row["seconds"] for row in rows)
        table.add_row(
            name,
            str(len(rows)),
            str(sum(row["trials"] for row in rows)),
            f"{seconds:.1f}",
            f"{mean(row['training_seconds'] for row in rows):.1f}",
            f"{seconds / local:.2f}",
            "yes" if equal(parts, name) else "NO",
            " to ".join(f"{value:.1f}" for value in part["machine_load"]),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
