"""Does the guided search beat what an expert would do with as many epochs?

All get the same budget: epochs of all phases, in trainings of the search's length. Each is chosen on the validation split, and the
network itself is measured once on the test split; nothing is trained again afterwards. Where the search sees a subset, "finished" is
the same network after further trainings on the whole training split, for all of them alike, beyond the budget. Columns:

  by hand          espn, obd, gumbel and gradual on the plain networks of the space in equal shares, each restarted until its share is spent
  by hand, long    the same four methods, each once on the first plain network, as long as its share lasts
  espn             the whole budget for restarts of espn on the plain networks: for one who knows beforehand that it is good
  small dense      the widest dense network that fits, restarted
  random           random plans of architecture and method, of the same space and methods
  tpe              Optuna's TPE over the same space and methods
  guided, none     the guided search without its predictor
  guided           the guided search as it is
  evolution        the search of drawn masks

Seeds are paired. The columns that are chosen are those that are given; finished rows are kept. Cells of a user's own model (trained dense,
its weights are where every pruning starts) have 8 trainings; "dense" in their rows is the test accuracy of that model.
Usage: NAS_DATA_DIR=DATA python -m benchmarks.search.against_by_hand [CELL ...] [--ways NAME ...] [--seeds N] [--print]
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import onnx_ir as ir
import optuna
from rich.console import Console
from rich.table import Table

import nas
import onnx_graph
from benchmarks.support.own_models import trained
from benchmarks.support.places import RESULTS
from nas.conclusion.finishing import further, whole
from nas.engine.guided.proposals import plans
from nas.engine.guided.references import METHODS, learned, pruned, small
from nas.engine.keep import KeepRule
from nas.engine.measurer import Training
from nas.engine.network_files import NetworkFiles
from nas.engine.plan import SearchPlan, resolve
from nas.engine.round_training import Trainer
from nas.seeds import generator
from nas.study.constraints import on_costs
from search_spaces import LONGEST, Candidate, LearnedMask

STORED = RESULTS / "against_by_hand.json"
BY_HAND = ("espn", "obd", "gumbel", "gradual")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A task with its budget. `task` may name a file below the data folder; `model` is one of `own_models.MODELS`, trained by its user."""

    task: str
    space: str
    constraint: str
    target: str | None = None
    subset: int | None = None
    model: str | None = None
    trainings: int | None = None


CELLS = {
    "digits 100": Cell(task="digits", space="mlp", constraint="nnz<=100"),
    "digits 200": Cell(task="digits", space="mlp", constraint="nnz<=200"),
    "digits 600": Cell(task="digits", space="mlp", constraint="nnz<=600"),
    "reber 100": Cell(task="embedded-reber", space="rnn", constraint="nnz<=100", subset=1500),
    "segment 200": Cell(task="tabular/segment.csv", space="mlp", constraint="nnz<=200", target="category"),
    "fashion 1000": Cell(task="fashion-mnist", space="mlp", constraint="nnz<=1000", subset=12000),
    "own mlp, 10 %": Cell(task="digits", space="onnx", constraint="density<=0.1", model="mlp", trainings=8),
    "own resnet, 10 %": Cell(task="digits", space="onnx", constraint="density<=0.1", model="resnet", trainings=8),
    "own lstm, 10 %": Cell(task="digits", space="onnx", constraint="density<=0.1", model="lstm", trainings=8),
    "own transformer, 10 %": Cell(
        task="digits", space="onnx", constraint="density<=0.1", model="transformer", trainings=8
    ),
    "mnist 500": Cell(task="mnist", space="mlp+cnn", constraint="nnz<=500", subset=12000),
}


def main() -> None:
    """Compute missing rows, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", metavar="CELL", help=", ".join(CELLS).replace("%", "%%"))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--trainings", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("NAS_DATA_DIR"))
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored table")
    parser.add_argument("--quick", action="store_true", help="a smoke test: two epochs, six trainings, one seed")
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    unknown = set(args.cells) - set(CELLS)
    if unknown:
        parser.error(f"no cell {sorted(unknown)[0]!r}; there are {', '.join(CELLS)}")
    path = STORED.with_stem(f"{STORED.stem}_quick") if args.quick else STORED
    if args.quick:
        args.trainings, args.seeds, args.cells = 6, 1, args.cells or ["digits 200"]
    store = json.loads(path.read_text()) if path.exists() else _empty(args)
    cells = args.cells or (list(store["rows"]) if args.print else list(CELLS)[:5])
    for name in [] if args.print else cells:
        store["settings"]["cells"][name] = asdict(CELLS[name])
        for seed in range(args.seeds):
            for way in args.ways:
                row = store["rows"].setdefault(name, {}).setdefault(way, {})
                if str(seed) not in row:
                    row[str(seed)] = _measured(CELLS[name], way, seed, args)
                    path.write_text(json.dumps(store, indent=1) + "\n")
                    print(name, way, seed, row[str(seed)], flush=True)
    _print({name: store["rows"].get(name, {}) for name in cells})


def _empty(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "question": (__doc__ or "").splitlines()[0],
        "version": nas.__version__,
        "settings": {"trainings": args.trainings, "cells": {name: asdict(cell) for name, cell in CELLS.items()}},
        "rows": {},
    }


def _measured(cell: Cell, way: str, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """Test metric, validation metric, non-zeros, trainings spent, seconds; of an own model also what it has dense."""
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.onnx"
        dense = {} if cell.model is None else {"dense": trained(cell.model, path, seed=seed)}
        found = WAYS[way](_config(cell, None if cell.model is None else str(path), seed, args)) | dense
    return {**{key: round(value, 6) for key, value in found.items()}, "seconds": round(time.perf_counter() - begin, 1)}


def _config(cell: Cell, model: str | None, seed: int, args: argparse.Namespace) -> nas.SearchConfig:
    return nas.SearchConfig(
        task=cell.task if "." not in cell.task else str(Path(args.data_dir) / cell.task),
        target=cell.target,
        space=cell.space,
        model=model,
        subset=cell.subset,
        constraint=(cell.constraint,),
        trainings=args.trainings if cell.trainings is None else cell.trainings,
        epochs=2 if args.quick else None,
        data_dir=None if args.data_dir is None else str(args.data_dir),
        seed=seed,
        repeats=1,
    )


class Bench:
    """Trains plans one after another until a budget is spent, and remembers the best on the validation split."""

    def __init__(self, config: nas.SearchConfig) -> None:
        """Resolves the configuration."""
        self.plan: SearchPlan = resolve(replace(config, strategy="guided", method="auto", predictor="none"))
        self.keep = KeepRule(self.plan.space, on_costs(self.plan.constraints), lambda model, _: model)
        self.trainer = Trainer(self.plan, NetworkFiles(Path("unused")))
        self.spent, self.best = 0.0, -np.inf
        self.network: ir.Model | None = None

    def run(self, candidate: Candidate, repeats: list[int], most: float) -> list[float]:
        """Train a candidate with these repeats, as many as fit into `most`; the validation metrics."""
        found: list[float] = []
        while repeats and self.spent < most:
            cost = max(1.0, self.cost(candidate))
            several = repeats[: max(1, int((most - self.spent) / cost))]
            repeats = repeats[len(several) :]
            trainings = self.trainer.train([candidate] * len(several), several, "static")
            found += [self._seen(one) for one in trainings]
        return found

    def cost(self, candidate: Candidate) -> float:
        """Roughly, of a training of the search's length."""
        method = candidate.mask.method if isinstance(candidate.mask, LearnedMask) else ""
        return {"obd": 2.9, "": 1.0, "gradual": 1.0, "iht": 1.0, "rigl": 1.0}.get(method, 2.0)

    def _seen(self, training: Training) -> float:
        self.spent += training.cost
        if isinstance(training.result, Exception) or training.result.dead:
            return 0.0
        value = self.plan.metric.to_share(training.result.accuracy)
        if value > self.best:
            self.best, self.network = value, training.trained()
        return value

    def finished(self) -> dict[str, float]:
        """The test metric of the best network after the further trainings that a search gives its winner; empty if it gives none."""
        assert self.network is not None
        task = whole(self.plan) if self.plan.config.finish else None
        if task is None:
            return {}
        (done,) = further(self.plan, task, [self.network], [0])
        before = nas.evaluate(self.network, task, task.validation)
        found = self.network if done is None or done[1].accuracy <= before else done[0]
        return {"finished": nas.evaluate(found, task, task.test)}

    def result(self) -> dict[str, float]:
        """Of the best network."""
        assert self.network is not None
        task = self.plan.task
        return {
            "test": nas.evaluate(self.network, task, task.test),
            "validation": float(self.best),
            "nnz": float(onnx_graph.count(self.network).nnz),
            "spent": self.spent,
        } | self.finished()


def _restarted(config: nas.SearchConfig, methods: tuple[str, ...]) -> dict[str, float]:
    bench = Bench(config)
    several = [plan for _, plan in pruned(bench.plan.space, bench.keep, methods)]
    for number, candidate in enumerate(several, 1):
        bench.run(candidate, list(range(100)), number * config.trainings / len(several))
    return bench.result()


def _long(config: nas.SearchConfig, methods: tuple[str, ...]) -> dict[str, float]:
    bench = Bench(config)
    share = config.trainings / len(methods)
    for method in methods:
        _, candidate = next(iter(pruned(bench.plan.space, bench.keep, (method,))))
        length = max(1.0, min(LONGEST, share / bench.cost(candidate)))
        assert isinstance(candidate.mask, LearnedMask)
        bench.run(replace(candidate, mask=replace(candidate.mask, length=length)), [0], bench.spent + config.trainings)
    return bench.result()


def _small_dense(config: nas.SearchConfig) -> dict[str, float]:
    bench = Bench(config)
    several = small(bench.plan.space, bench.keep)
    if not several:
        return {}
    for number, candidate in enumerate(several, 1):
        bench.run(candidate, list(range(100)), number * config.trainings / len(several))
    return bench.result()


def _random(config: nas.SearchConfig) -> dict[str, float]:
    bench = Bench(config)
    proposed = plans(bench.plan.space, bench.keep, METHODS, [], generator(config.seed, "benchmark, random"))
    for candidate in proposed:
        if bench.spent >= config.trainings:
            break
        if candidate is not None:
            bench.run(candidate, [0], config.trainings)
    return bench.result()


def _tpe(config: nas.SearchConfig) -> dict[str, float]:
    bench = Bench(config)
    sampler = optuna.samplers.TPESampler(seed=config.seed, multivariate=True, group=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    while bench.spent < config.trainings:
        trial = study.ask()
        method = str(trial.suggest_categorical("method", list(METHODS)))
        candidate = learned(bench.plan.space.dense(bench.plan.space.suggest(trial)), method, bench.keep)
        values = [] if candidate is None else bench.run(candidate, [0], config.trainings)
        if values:
            study.tell(trial, values[0])
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return bench.result()


def _search(**changes: str) -> Callable[[nas.SearchConfig], dict[str, float]]:
    """The exported network of a search."""

    def run(config: nas.SearchConfig) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            report = nas.search(replace(config, **changes), Path(folder) / "run")  # type: ignore[arg-type]
            network = onnx_graph.load(Path(folder) / "run" / "best.onnx")
            task = resolve(replace(config, **changes)).task  # type: ignore[arg-type]
            test, finish = nas.evaluate(network, task, task.test), report["best"]["finish"]
            found = test if finish is None or not finish["found"] else finish["found"][0]
            return {
                "test": found,
                "validation": max(report["best"]["validation"]),
                "nnz": float(report["best"]["nnz"]),
                "spent": sum(trial["cost"] for trial in report["trials"]),
            } | ({} if finish is None else {"finished": test})

    return run


WAYS: dict[str, Callable[[nas.SearchConfig], dict[str, float]]] = {
    "by hand": lambda config: _restarted(config, BY_HAND),
    "by hand, long": lambda config: _long(config, BY_HAND),
    "espn": lambda config: _restarted(config, BY_HAND[:1]),
    "small dense": _small_dense,
    "random": _random,
    "tpe": _tpe,
    "guided, none": _search(strategy="guided", method="auto", predictor="none"),
    "guided": _search(strategy="guided", method="auto", predictor="quick-warm"),
    "evolution": _search(strategy="evolution", method="static", predictor="quick"),
}


def _print(rows: dict[str, dict[str, Any]]) -> None:
    for figure in ("test", "finished"):
        title = f"{figure} metric in per cent: mean ± sd over seeds; in brackets the mean difference to by hand"
        table = Table(title=title)
        table.add_column("cell")
        for way in WAYS:
            table.add_column(way, justify="right")
        for name, ways in rows.items():
            table.add_row(name, *(_figures(figure, ways.get(way, {}), ways.get("by hand", {})) for way in WAYS))
        Console(width=240).print(table)


def _figures(figure: str, row: dict[str, Any], hand: dict[str, Any]) -> str:
    own = {seed: 100 * one[figure] for seed, one in row.items() if figure in one}
    if not own:
        return ""
    spread = f" ± {stdev(own.values()):.2f}" if len(own) > 1 else ""
    paired = [value - 100 * hand[seed][figure] for seed, value in own.items() if figure in hand.get(seed, {})]
    against = f" ({mean(paired):+.2f})" if paired else ""
    return f"{mean(own.values()):.2f}{spread}{against}"


if __name__ == "__main__":
    main()
