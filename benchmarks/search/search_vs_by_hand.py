"""Does a search beat one training by a good mask method on a plain network?

By hand: a plain dense perceptron 64-100-100-10, pruned on digits to the same number of non-zeros as the search, with the default
training options of a search. Test accuracy, mean over seeds; nothing is chosen. The result of the search is taken from
`search_vs_random.json`: 48 trainings, and its winner is trained again.

Usage: python -m benchmarks.search.search_vs_by_hand [--budgets 100 200 600] [--methods espn gradual] [--quick] [--redo]
Finished rows are kept.
"""

import argparse
import json
from statistics import mean, stdev

import onnx_ir as ir
from rich.console import Console
from rich.table import Table

import nas
import onnx_graph
from benchmarks.support.mask_networks import perceptron
from benchmarks.support.places import RESULTS

STORED = RESULTS / "search_vs_by_hand.json"
WIDTHS, SHAPE = (64, 100, 100, 10), (1, 8, 8)
WEIGHTS = 64 * 100 + 100 * 100 + 100 * 10


def main() -> None:
    """Train, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budgets", type=int, nargs="+", default=[100, 200, 600], help="non-zero weights")
    parser.add_argument(
        "--methods", nargs="+", default=["espn", "gumbel", "obd", "gradual", "rigl", "erk", "magnitude"]
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--redo", action="store_true", help="train again what is stored")
    parser.add_argument("--quick", action="store_true", help="a smoke test: two epochs, two seeds")
    args = parser.parse_args()
    task = nas.load_task("digits")
    options = (
        nas.SearchConfig(task="digits", epochs=2 if args.quick else None).resolved(len(task.train)).training_options()
    )
    seeds = range(2 if args.quick else args.seeds)
    path = STORED.with_stem(f"{STORED.stem}_quick") if args.quick else STORED
    stored = json.loads(path.read_text())["rows"] if path.exists() and not args.redo else []
    known = {(row["budget"], row["method"]): row for row in stored}
    for budget in args.budgets:
        for method in args.methods:
            if (budget, method) not in known:
                known[budget, method] = _row(method, budget, task, options, seeds)
    rows = sorted(known.values(), key=lambda row: (row["budget"], -row["mean"]))
    _print(rows)
    result = {
        "question": (__doc__ or "").splitlines()[0],
        "version": nas.__version__,
        "settings": {"network": list(WIDTHS), "epochs": options.epochs, "seeds": list(seeds)},
        "rows": rows,
        "search": _search(),
    }
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path)


def _row(
    method: str, budget: int, task: nas.Task, options: nas.TrainingOptions, seeds: range
) -> dict[str, str | int | float | list[float]]:
    """One method at one budget, all seeds as one population."""
    model = perceptron(WIDTHS, SHAPE)
    results = nas.train_population(
        [model] * len(seeds), task, options, seeds=list(seeds), method=method, density=budget / WEIGHTS
    )
    trained = [_trained(model, result) for result in results]
    accuracies = [nas.evaluate(network, task, task.test) for network in trained]
    return {
        "method": method,
        "budget": budget,
        "mean": mean(accuracies),
        "std": stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "accuracies": accuracies,
        "nnz": [onnx_graph.count(network).nnz for network in trained],
        "seconds_a_network": mean(result.seconds for result in results if isinstance(result, nas.TrainingResult)),
    }


def _trained(model: ir.Model, result: nas.TrainingResult | Exception) -> ir.Model:
    if isinstance(result, Exception):
        raise result
    return nas.apply_result(model, result)


def _search() -> dict[str, object]:
    """The result of the search, from the JSON of the other script."""
    found = json.loads((RESULTS / "search_vs_random.json").read_text())
    return {
        "constraint": found["settings"]["constraint"],
        "trainings": found["settings"]["trainings"],
        "means": [row["winner"]["mean"] for row in found["rows"]],
        "mean": mean(row["winner"]["mean"] for row in found["rows"]),
    }


def _print(rows: list[dict[str, str | int | float | list[float]]]) -> None:
    table = Table(title="digits, MLP 64-100-100-10: test accuracy of one training by hand")
    for column in ("non-zeros", "method", "accuracy", "seconds a network"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in rows:
        table.add_row(
            str(row["budget"]),
            str(row["method"]),
            f"{row['mean']:.4f} ± {row['std']:.4f}",
            f"{row['seconds_a_network']:.1f}",
        )
    Console(width=100).print(table)
    found = _search()
    print(f"search, {found['constraint']}, {found['trainings']} trainings: {found['mean']:.4f}")


if __name__ == "__main__":
    main()
