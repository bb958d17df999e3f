"""Does the search find a better sparse network than random search with as many trainings?

Both draw from the same space under the same hard constraint, train with the same options and are given the same number of
trainings. The winner of each is chosen on the validation split, trained anew with fresh seeds, and measured on the test split.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean, stdev

import optuna
from rich.console import Console
from rich.table import Table

import nas
from benchmarks.support.places import RESULTS
from nas import SearchConfig, search


def main() -> None:
    """Run the searches, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits")
    parser.add_argument("--space", default="mlp")
    parser.add_argument("--constraint", default="nnz<=600")
    parser.add_argument("--trainings", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--strategy", nargs="+", default=["evolution"])
    parser.add_argument("--predictor", default="quick")
    parser.add_argument("--quick", action="store_true", help="a smoke test: few trainings, one seed")
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if args.quick:
        args.trainings, args.epochs, args.repeats, args.seeds = 12, 3, 2, args.seeds[:1]
    rows = [
        _run(args, strategy, seed, first=index == 0)
        for index, strategy in enumerate(args.strategy)
        for seed in args.seeds
    ]
    random_means = {row["seed"]: row["random"]["mean"] for row in rows if "random" in row}
    _print(args, rows, random_means)
    result = {
        "question": (__doc__ or "").splitlines()[0],
        "version": nas.__version__,
        "settings": {key: value for key, value in vars(args).items() if key != "out"},
        "rows": rows,
        "mean": {s: mean(r["winner"]["mean"] for r in rows if r["strategy"] == s) for s in args.strategy}
        | {"random": mean(random_means.values())},
    }
    name = "search_vs_random_quick.json" if args.quick else "search_vs_random.json"
    path = args.out or RESULTS / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path)


def _run(args: argparse.Namespace, strategy: str, seed: int, *, first: bool) -> dict[str, object]:
    """One search, and random search beside it (once a seed)."""
    config = SearchConfig(
        task=args.task,
        space=args.space,
        constraint=(args.constraint,),
        trainings=args.trainings,
        epochs=args.epochs,
        repeats=args.repeats,
        strategy=strategy,
        predictor=args.predictor,
        random_baseline=first,
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        report = search(config, Path(folder) / "run")
    row: dict[str, object] = {
        "strategy": strategy,
        "seed": seed,
        "winner": _figures(report["best"]),
        "seconds": report["seconds"],
    }
    row["dense"] = _figures(report["baselines"]["dense"])
    if first:
        row["random"] = _figures(report["baselines"]["random"])
    return row


def _figures(measured: dict[str, object]) -> dict[str, object]:
    accuracies = measured["accuracies"]
    assert isinstance(accuracies, list)
    return {
        "mean": mean(accuracies),
        "std": stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "accuracies": accuracies,
        "nnz": measured["nnz"],
        "bytes": measured["bytes"],
        "candidate": measured["candidate"],
    }


def _print(args: argparse.Namespace, rows: list[dict[str, object]], random_means: dict[object, float]) -> None:
    table = Table(
        title=f"{args.task}, {args.space}, {args.constraint}, {args.trainings} trainings: test accuracy of the winner"
    )
    for column in ("strategy", "seed", "search", "random", "difference (points)", "dense", "nnz", "seconds"):
        table.add_column(column, justify="left" if column == "strategy" else "right")
    for row in rows:
        winner, dense, other = row["winner"], row["dense"], random_means[row["seed"]]
        table.add_row(
            str(row["strategy"]),
            str(row["seed"]),
            f"{winner['mean']:.4f} ± {winner['std']:.4f}",
            f"{other:.4f}",  # type: ignore[index]
            f"{(winner['mean'] - other) * 100:+.2f}",
            f"{dense['mean']:.4f}",
            str(winner["nnz"]),
            f"{row['seconds']['total']:.0f}",  # type: ignore[index]
        )
    for strategy in args.strategy:
        means = [row["winner"]["mean"] for row in rows if row["strategy"] == strategy]  # type: ignore[index]
        table.add_row(
            f"{strategy}, mean",
            "",
            f"{mean(means):.4f}",
            f"{mean(random_means.values()):.4f}",
            f"{(mean(means) - mean(random_means.values())) * 100:+.2f}",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
