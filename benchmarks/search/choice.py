"""How should one network of many be chosen, where validation examples are few?

A pool is what a search trains: `espn`, `gumbel` and `obd` on the plain perceptron and three random ones, at whole and at half length, 48
networks. From 24 of them, drawn 600 times, one is chosen; the table has its test metric, in per cent:

  validation  the best on the validation split
  training    the best on the training split
  pooled      the best on both splits together
  expected    the one of which most is expected (`nas.engine.expected`), as a search chooses
  best        the best of them on the test split, which nobody knows

The beliefs of `nas.engine.expected` were chosen on pools of other seeds (51 to 53). Finished pools are kept.
Usage: NAS_DATA_DIR=DATA python -m benchmarks.search.choice [--seeds N] [--quick] [--print]
"""

import argparse
import json
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import nas
import onnx_graph
from benchmarks.support.places import RESULTS
from nas.engine.expected import between
from search_spaces import create

STORED = RESULTS / "choice.json"
METHODS, NETWORKS, ARCHITECTURES = ("espn", "gumbel", "obd"), 8, 4
DRAWS, CHOSEN_FROM = 600, 24
FIRST_SEED = 54
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """Networks of a task: its name, the weights that each keeps, epochs, and examples (all if None)."""

    task: str
    keep: int
    epochs: int
    subset: int | None = None


POOLS = {
    "digits, 100 non-zeros": Pool("digits", 100, 20),
    "digits, 300 non-zeros": Pool("digits", 300, 20),
    "MNIST, 2,000 images, 300 non-zeros": Pool("mnist", 300, 10, 2000),
    "Fashion-MNIST, 2,000 images, 300 non-zeros": Pool("fashion-mnist", 300, 10, 2000),
}


def main() -> None:
    """Train missing pools, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a smoke test: one small pool, one epoch")
    parser.add_argument("--print", action="store_true", help="train nothing, print the stored table")
    args = parser.parse_args()
    path = STORED.with_stem(f"{STORED.stem}_quick") if args.quick else STORED
    store = (
        json.loads(path.read_text()) if path.exists() else {"question": (__doc__ or "").splitlines()[0], "pools": {}}
    )
    pools = {"digits, 100 non-zeros": Pool("digits", 100, 2, 200)} if args.quick else POOLS
    for name, pool in {} if args.print else pools.items():
        for seed in range(FIRST_SEED, FIRST_SEED + (1 if args.quick else args.seeds)):
            if str(seed) not in store["pools"].setdefault(name, {}):
                store["pools"][name][str(seed)] = trained(pool, seed)
                path.write_text(json.dumps(store, indent=1) + "\n")
                print(name, seed, flush=True)
    show(store["pools"])


def trained(pool: Pool, seed: int) -> dict[str, Any]:
    """Number of examples, and each network's shares of right answers: train, validation, test."""
    task = nas.load_task(pool.task, seed=seed, subset=pool.subset)
    space, rng = create("mlp", task.signature), np.random.default_rng(seed)
    dense = [space.dense(space.plain()[0]), *(space.sample_dense(rng) for _ in range(ARCHITECTURES - 1))]
    rows = []
    for method in METHODS:
        for epochs in (pool.epochs, pool.epochs // 2):
            models = [space.build(dense[number % ARCHITECTURES]) for number in range(NETWORKS)]
            weights = [sum(mask.size for mask in onnx_graph.masks(model).values()) for model in models]
            results = nas.train_population(
                models,
                task,
                nas.TrainingOptions(epochs=epochs),
                seeds=[1000 * seed + number + 500 * (epochs < pool.epochs) for number in range(NETWORKS)],
                method=method,
                density=[min(1.0, pool.keep / count) for count in weights],
            )
            for model, result in zip(models, results, strict=True):
                if not isinstance(result, Exception):
                    network = nas.apply_result(model, result)
                    splits = (task.train, task.validation, task.test)
                    rows.append([round(nas.evaluate(network, task, split), 6) for split in splits])
    return {"examples": [len(task.train), len(task.validation), len(task.test)], "networks": rows}


def chosen(pool: dict[str, Any]) -> dict[str, float]:
    """Mean test metric, in per cent, of what each rule chooses."""
    rng = np.random.default_rng(0)
    train, validation, test = np.array(pool["networks"]).T
    examples = pool["examples"]
    found: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        some = rng.choice(len(test), min(CHOSEN_FROM, len(test) // 2), replace=False)
        rules: dict[str, Floats] = {
            "validation": validation[some],
            "training": train[some],
            "pooled": train[some] * examples[0] + validation[some] * examples[1],
            "expected": between(validation[some], train[some], examples[1]),
            "best": test[some],
        }
        for name, worth in rules.items():
            ties = 1e-9 * rng.random(len(some))
            found.setdefault(name, []).append(float(test[some][np.argmax(worth + ties)]))
    return {name: 100 * mean(values) for name, values in found.items()}


def show(pools: dict[str, dict[str, Any]]) -> None:
    """Print the table; every seed is a pool of its own."""
    rules = ("validation", "training", "pooled", "expected", "best")
    table = Table(
        title="test metric of the chosen network, per cent; mean over pools, in brackets the difference to validation ± sd"
    )
    for head in ("pools", "number", *rules):
        table.add_column(head, justify="left" if head == "pools" else "right")
    every: list[dict[str, float]] = []
    for name, seeds in pools.items():
        rows = [chosen(pool) for pool in seeds.values()]
        every += rows
        table.add_row(name, str(len(rows)), *(_cell(rows, rule) for rule in rules))
    table.add_row("all", str(len(every)), *(_cell(every, rule) for rule in rules))
    Console(width=180).print(table)


def _cell(rows: list[dict[str, float]], rule: str) -> str:
    gains = [row[rule] - row["validation"] for row in rows]
    spread = f" ± {stdev(gains):.2f}" if len(gains) > 1 else ""
    return f"{mean(row[rule] for row in rows):.2f} ({mean(gains):+.2f}{spread})"


if __name__ == "__main__":
    main()
