"""Which mask method is best at very few weights, where a search for tiny networks lives?

Digits, a plain perceptron 64-100-100-10, the default training options of a search, 100, 200 and 600 non-zeros. Test accuracy in per
cent, mean ± sd over seeds that no method's options were chosen with; differences to espn are paired by seed. `trainings` counts the
epochs of all phases.

Usage: python -m benchmarks.masks.few_weights [ROW ...] [--seeds N] [--quick] [--print] [--markdown] [--redo]
Finished rows are kept.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

import nas
import onnx_graph
from benchmarks.support.mask_networks import perceptron
from benchmarks.support.places import RESULTS
from nas.training.methods import create

STORED = RESULTS / "few_weights.json"
WIDTHS, SHAPE = (64, 100, 100, 10), (1, 8, 8)
WEIGHTS = 64 * 100 + 100 * 100 + 100 * 10
BUDGETS = (100, 200, 600)
FIRST_SEED = 100
ROWS: Mapping[str, tuple[str, Mapping[str, Any], float]] = {
    "espn": ("espn", {}, 1.0),
    "gumbel": ("gumbel", {}, 1.0),
    "espn, half as long": ("espn", {}, 0.5),
    "espn-short": ("espn-short", {}, 1.0),
    "swap": ("swap", {}, 1.0),
    "continuous-sparsification": ("continuous-sparsification", {}, 1.0),
    "ham by espn": ("ham", {"by": "espn"}, 1.0),
    "ham by obd": ("ham", {"by": "obd"}, 1.0),
    "obd": ("obd", {}, 1.0),
    "ham": ("ham", {}, 1.0),
    "gradual": ("gradual", {}, 1.0),
    "sparse-momentum": ("sparse-momentum", {}, 1.0),
    "rigl": ("rigl", {}, 1.0),
    "ham by sparse-momentum": ("ham", {"by": "sparse-momentum"}, 1.0),
    "ham by ac-dc": ("ham", {"by": "ac-dc"}, 1.0),
    "ac-dc": ("ac-dc", {}, 1.0),
}
"""A row's method, its options, and the length of a training as a share of the usual one."""


def main() -> None:
    """Compute missing rows, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="a smoke test: two epochs, two seeds")
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored table")
    parser.add_argument("--markdown", action="store_true", help="print the table as the README holds it")
    parser.add_argument("--redo", action="store_true", help="train again what is stored")
    args = parser.parse_args()
    unknown = set(args.rows) - set(ROWS)
    if unknown:
        parser.error(f"no row {sorted(unknown)[0]!r}; there are {', '.join(ROWS)}")
    path = STORED.with_stem(f"{STORED.stem}_quick") if args.quick else STORED
    rows: dict[str, Any] = json.loads(path.read_text())["rows"] if path.exists() else {}
    task = nas.load_task("digits")
    options = (
        nas.SearchConfig(task="digits", epochs=2 if args.quick else None).resolved(len(task.train)).training_options()
    )
    seeds = list(range(FIRST_SEED, FIRST_SEED + (2 if args.quick else args.seeds)))
    for name in [] if args.print else args.rows or ROWS:
        if name not in rows or args.redo:
            rows[name] = _row(name, task, options, seeds)
            settings = {"network": WIDTHS, "budgets": BUDGETS, "seeds": seeds, "training": vars(options)}
            stored = {"question": (__doc__ or "").splitlines()[0], "version": nas.__version__}
            path.write_text(json.dumps({**stored, "settings": settings, "rows": rows}, indent=1) + "\n")
            print(name, rows[name], flush=True)
    _print({name: rows[name] for name in ROWS if name in rows}, markdown=args.markdown)


def _row(name: str, task: nas.Task, options: nas.TrainingOptions, seeds: list[int]) -> dict[str, Any]:
    """All budgets and seeds of one row, as one population."""
    method, chosen, length = ROWS[name]
    own = replace(options, epochs=max(1, round(length * options.epochs)))
    model, budgets = perceptron(WIDTHS, SHAPE), [budget for budget in BUDGETS for _ in seeds]
    results = nas.train_population(
        [model] * len(budgets),
        task,
        own,
        seeds=seeds * len(BUDGETS),
        method=create(method, chosen),
        density=[budget / WEIGHTS for budget in budgets],
    )
    found: dict[str, Any] = {"budgets": {str(budget): {"test": [], "live": []} for budget in BUDGETS}}
    for budget, result in zip(budgets, results, strict=True):
        column = found["budgets"][str(budget)]
        if isinstance(result, Exception):
            column["test"].append(0.0)
            column.setdefault("errors", []).append(str(result))
            continue
        network = nas.apply_result(model, result)
        column["test"].append(round(nas.evaluate(network, task, task.test), 5))
        column["live"].append(onnx_graph.count(network).nnz)
        found |= {
            "trainings": round(len(result.losses) / options.epochs, 2),
            "seconds_a_network": round(result.seconds, 2),
        }
    return found


def _print(rows: Mapping[str, Any], *, markdown: bool) -> None:
    header = ["method", *(f"{budget} non-zeros" for budget in BUDGETS), "trainings"]
    order = sorted(rows, key=lambda name: -sum(mean(column["test"]) for column in rows[name]["budgets"].values()))
    lines = [
        [name, *(_figures(rows, name, str(budget)) for budget in BUDGETS), f"{rows[name].get('trainings', 0):g}"]
        for name in order
    ]
    title = "digits, MLP 64-100-100-10: test accuracy in per cent, mean ± sd; in brackets the mean difference to espn"
    if markdown:
        print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
        print("\n".join(f"| {' | '.join(line)} |" for line in lines))
        return
    table = Table(title=title)
    for column in header:
        table.add_column(column, justify="left" if column == "method" else "right")
    for line in lines:
        table.add_row(*line)
    Console(width=140).print(table)


def _figures(rows: Mapping[str, Any], name: str, budget: str) -> str:
    own = [100 * value for value in rows[name]["budgets"][budget]["test"]]
    spread = f" ± {stdev(own):.2f}" if len(own) > 1 else ""
    if name == "espn" or "espn" not in rows:
        return f"{mean(own):.2f}{spread}"
    others = [100 * value for value in rows["espn"]["budgets"][budget]["test"]]
    return f"{mean(own):.2f}{spread} ({mean(own) - mean(others):+.2f})"


if __name__ == "__main__":
    main()
