"""Does the search find a sparse recurrent network that predicts legal next symbols of the embedded Reber grammar?

The last symbol but one depends on the second, so a model without memory fails: the network is compared with n-gram baselines.
"""

import argparse
import json
import tempfile
from pathlib import Path

import optuna
from rich.console import Console
from rich.table import Table

import nas
from benchmarks.support.places import RESULTS
from nas import SearchConfig, load_task, search
from nas.tasks.n_gram import next_symbol_legality


def main() -> None:
    """Search with every seed, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trainings", type=int, default=16)
    parser.add_argument("--constraint", nargs="*", default=["nnz<=1000"])
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--quick", action="store_true", help="a smoke test: few trainings, one seed")
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if args.quick:
        args.seeds, args.trainings, args.epochs = args.seeds[:1], 8, 5
    task = load_task("embedded-reber")
    baselines = {f"{n}-gram": next_symbol_legality(task.train, task.test, n) for n in (2, 3, 4)}
    rows = [_run(args, seed) for seed in args.seeds]
    table = Table(title="embedded Reber grammar: share of predicted next symbols that are legal, test split")
    for column in ("network", "legality", "nnz", "dense nnz", "trainings", "seconds"):
        table.add_column(column, justify="left" if column == "network" else "right")
    for name, legality in baselines.items():
        table.add_row(name, f"{legality:.4f}")
    for row in rows:
        cell = row["candidate"]["architecture"]["cell"]
        legality = f"{row['legality']['mean']:.4f} ± {row['legality']['std']:.4f}"
        table.add_row(
            f"search, seed {row['seed']}: {cell}",
            legality,
            str(row["nnz"]),
            str(row["dense"]["nnz"]),
            str(args.trainings),
            f"{row['seconds']['total']:.0f}",
        )
    Console(width=120).print(table)
    result = {
        "question": (__doc__ or "").splitlines()[0],
        "version": nas.__version__,
        "settings": vars(args),
        "baselines": baselines,
        "rows": rows,
    }
    path = RESULTS / ("embedded_reber_quick.json" if args.quick else "embedded_reber.json")
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path)


def _run(args: argparse.Namespace, seed: int) -> dict[str, dict[str, object]]:
    config = SearchConfig(
        task="embedded-reber",
        space="rnn",
        strategy="evolution",
        constraint=tuple(args.constraint),
        trainings=args.trainings,
        epochs=args.epochs,
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        report = search(config, Path(folder) / "run")
    best, dense = report["best"], report["baselines"]["dense"]
    return {
        "seed": seed,  # type: ignore[dict-item]
        "legality": best["test"],
        "nnz": best["nnz"],
        "bytes": best["bytes"],
        "candidate": best["candidate"],
        "dense": {"legality": dense["test"], "nnz": dense["nnz"], "bytes": dense["bytes"]},
        "seconds": report["seconds"],
    }


if __name__ == "__main__":
    main()
