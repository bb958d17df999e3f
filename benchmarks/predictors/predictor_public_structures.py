"""Does the structure of a sparse network, read from an ONNX file, tell the accuracies that other people published?

Reber: graphs as recurrent networks (200 each of ReLU and tanh cells, one training): R² of the pooled out-of-fold predictions of ten
folds, repeated with other folds. Relational: 2,991 graphs as perceptrons on CIFAR-10: R² on the other graphs after fitting on a
number of labels (each the mean of five trainings), repeated with other labels. The predictors are compared with the size alone and
with the authors' own measures of the graphs. No option of a predictor is chosen here: only folds and seeds differ.

Networks are encoded once (relational graphs take about half a second each) and kept in benchmarks/cache. A finished cell is
not computed again; --redo starts from the beginning.
Usage: NAS_DATA_DIR=DATA python -m benchmarks.predictors.predictor_public_structures [--predictors NAME ...] [--quick] [--print] [--redo]
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.support import encoding_cache, public_structures
from benchmarks.support.places import RESULTS
from benchmarks.support.public_structures import Floats, Structures
from predictors import StructureGraph, create
from predictors.calibration import ranking

FOLDS = 10
BARS: Mapping[str, float] = {
    "reber-rnn-relu": 0.33,
    "reber-rnn-tanh": 0.27,
    "reber-gru": 0.67,
    "reber-lstm": 0.44,
    "relational, 100 labels": 0.57,
}
"""Best known R², by protocol."""
SEEDS = 5
SLOW: Mapping[str, int] = {"gnn": 2, "ensemble": 2}
"""Number of splits for predictors that take half a minute to fit."""

Rows = NDArray[np.int64]
Method = Callable[[Rows, Rows, Floats, int], Floats]
"""Rows to fit on, rows to predict, accuracies of the first, a seed → predicted accuracies of the second."""
Split = Callable[[int, int], Iterator[tuple[Rows, Rows]]]
"""Number of networks and a seed → rows to fit on and rows to predict; a row is predicted at most once."""


def main() -> None:
    """Compute missing cells one by one, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("NAS_DATA_DIR", ".")))
    parser.add_argument("--predictors", nargs="+", default=["linear", "forest", "gnn", "ensemble"])
    parser.add_argument("--sets", nargs="+", choices=("reber", "relational"), default=["reber", "relational"])
    parser.add_argument("--labels", type=int, nargs="+", default=[30, 100, 300, 1000], help="of relational graphs")
    parser.add_argument(
        "--seeds",
        type=int,
        help=f"splits, each with the predictor's seed; default {SEEDS}, of slow predictors {SLOW}",
    )
    parser.add_argument("--networks", type=int, default=None, help="at most so many of a set")
    parser.add_argument("--quick", action="store_true", help="a smoke test: few networks, labels and seeds")
    parser.add_argument("--print", action="store_true", help="print what is there, compute nothing")
    parser.add_argument("--redo", action="store_true", help="forget what is there")
    args = parser.parse_args()
    if args.quick:
        args.networks, args.labels, args.seeds = 40, [30], 2
    results = Results(RESULTS / f"predictor_public_structures{'_quick' if args.quick else ''}.json", args)
    if not args.print:
        compute(results, args)
    print_table(results.cells)
    print(results.path)


class Results:
    """The cells on disk; the whole file is written after every cell, to a temporary file that is then renamed."""

    def __init__(self, path: Path, args: argparse.Namespace) -> None:
        """Read the cells on disk, unless they are to be computed again."""
        self.path = path
        self.cells: dict[str, dict[str, Any]] = {}
        if path.exists() and not args.redo:
            self.cells = json.loads(path.read_text())["cells"]

    def put(self, name: str, cell: Mapping[str, Any]) -> None:
        """Store a cell and write the file."""
        self.cells[name] = dict(cell)
        content = {"question": (__doc__ or "").splitlines()[0], "bars": dict(BARS), "cells": self.cells}
        self.path.parent.mkdir(exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, suffix=".part")
        with os.fdopen(handle, "w") as file:
            file.write(json.dumps(content, indent=1) + "\n")
        # mkstemp makes files that only their owner can read; results are for everyone.
        os.chmod(temporary, 0o644)
        os.replace(temporary, self.path)


def compute(results: Results, args: argparse.Namespace) -> None:
    """Compute the missing cells of every protocol and method."""
    for protocol, structures, split in protocols(args):
        rows = min(len(structures.accuracies), args.networks or len(structures.accuracies))
        measured = structures.accuracies[:rows].mean(axis=1)
        graphs = Encoded(structures, rows)
        for name, method in methods(structures, graphs, args.predictors).items():
            # A new encoder makes a new cell, a new predictor does not (use --redo); baselines read no encoding.
            version = structures.key if name in args.predictors else ""
            cell = results.cells.get(f"{protocol} | {name}")
            seeds = args.seeds or SLOW.get(name, SEEDS)
            settings = {"networks": rows, "seeds": seeds, "encoder": version}
            if cell is not None and cell["settings"] == settings:
                continue
            found = judge(method, measured, split, seeds)
            found |= {"protocol": protocol, "name": name, "settings": settings}
            results.put(f"{protocol} | {name}", found | {"ceiling": ceiling(structures.accuracies[:rows])})


def protocols(args: argparse.Namespace) -> Iterator[tuple[str, Structures, Split]]:
    """Name, networks and split of every requested protocol."""
    for cell in public_structures.CELLS if "reber" in args.sets else ():
        structures = public_structures.reber(args.data_dir, cell)
        if structures is None:
            print(f"{cell}: not in the files")
            continue
        yield structures.name, structures, folds
    if "relational" in args.sets:
        structures = public_structures.relational(args.data_dir)
        for labels in args.labels:
            yield f"relational, {labels} labels", structures, few(labels)


def folds(networks: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Every network is predicted once, by a predictor fitted on the other folds."""
    parts = np.array_split(np.random.default_rng(seed).permutation(networks), FOLDS)
    for place, part in enumerate(parts):
        yield np.concatenate([*parts[:place], *parts[place + 1 :]]), part


def few(labels: int) -> Split:
    """A given number of networks is used for fitting, all others are predicted."""

    def split(networks: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
        order = np.random.default_rng(seed).permutation(networks)
        yield order[:labels], order[labels:]

    return split


class Encoded:
    """The structure graphs of a set, encoded when they are first used, since baselines need none."""

    def __init__(self, structures: Structures, rows: int) -> None:
        """Nothing is encoded yet."""
        self._ask = lambda: encoding_cache.graphs(structures, rows)
        self._graphs: list[StructureGraph] | None = None

    def __getitem__(self, rows: Rows) -> list[StructureGraph]:
        """The graphs of some rows."""
        if self._graphs is None:
            self._graphs = self._ask()
        return [self._graphs[row] for row in rows]


def methods(structures: Structures, graphs: Encoded, names: Sequence[str]) -> dict[str, Method]:
    """The baselines on the set's own tables, then the predictors."""
    found: dict[str, Method] = {}
    for table, columns in structures.baselines.items():
        found |= {f"{table} ({name})": _model(name, columns) for name in ("ridge", "forest", "GP")}
    return found | {name: _predictor(name, graphs) for name in names}


def _predictor(name: str, graphs: Encoded) -> Method:
    def method(fitted: Rows, asked: Rows, accuracies: Floats, seed: int) -> Floats:
        return create(name).fit(graphs[fitted], accuracies, seed=seed).predict(graphs[asked]).mean

    return method


def _model(name: str, table: Floats) -> Method:
    def method(fitted: Rows, asked: Rows, accuracies: Floats, seed: int) -> Floats:
        model = _regressor(name, seed)
        with warnings.catch_warnings():
            # A length scale ends on its bound, which is right for a column without information.
            warnings.simplefilter("ignore")
            return np.asarray(model.fit(table[fitted], accuracies).predict(table[asked]))

    return method


def _regressor(name: str, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "forest":
        return ExtraTreesRegressor(200, min_samples_leaf=3, random_state=seed)
    if name == "ridge":
        return make_pipeline(StandardScaler(), RidgeCV(np.geomspace(1e-3, 1e4, 22)))
    kernel = ConstantKernel() * RBF(2.0) + WhiteKernel(0.5)
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True))


def judge(method: Method, measured: Floats, split: Split, seeds: int) -> dict[str, Any]:
    """R² of all predictions of a split together, for every seed; seconds of one seed."""
    begin, scores = time.perf_counter(), []
    for seed in range(seeds):
        predicted = np.full(len(measured), np.nan)
        for fitted, asked in split(len(measured), seed):
            predicted[asked] = method(fitted, asked, measured[fitted], seed)
        known = np.isfinite(predicted)
        scores.append(ranking.r2(measured[known], predicted[known]))
    return {"r2": scores, "seconds": (time.perf_counter() - begin) / seeds}


def ceiling(accuracies: Floats) -> float | None:
    """R² of the true accuracies against means of these trainings ``(networks, trainings)``; unknown for a single training."""
    trainings = accuracies.shape[1]
    if trainings < 2:
        return None
    noise = accuracies.var(axis=1, ddof=1).mean() / trainings
    return float(1 - noise / accuracies.mean(axis=1).var(ddof=1))


def print_table(cells: Mapping[str, Mapping[str, Any]]) -> None:
    """The table on stdout."""
    table = Table(title="R² of predicted against published accuracies, mean ± deviation over seeds")
    for column in ("networks", "predicted by", "R²", "splits", "best known", "ceiling", "s a seed"):
        table.add_column(column, justify="left" if column in ("networks", "predicted by") else "right")
    order = list(dict.fromkeys(cell["protocol"] for cell in cells.values()))
    for cell in sorted(cells.values(), key=lambda cell: order.index(cell["protocol"])):
        scores = cell["r2"]
        spread = stdev(scores) if len(scores) > 1 else 0.0
        bar = BARS.get(cell["protocol"])
        table.add_row(
            cell["protocol"],
            cell["name"],
            f"{mean(scores):.3f} ± {spread:.3f}",
            str(len(scores)),
            "" if bar is None else f"{bar:.2f}",
            "" if cell["ceiling"] is None else f"{cell['ceiling']:.2f}",
            f"{cell['seconds']:.1f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
