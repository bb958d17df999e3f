"""How well does structure, read from ONNX alone, rank the NAS-Bench-201 networks?

All 9,445 distinct networks as ONNX graphs; predictors are fitted on a few labelled ones and rank all the others (Kendall's τ, CIFAR-10,
200 epochs). The main table uses validation accuracy: with it, a forest on parameters and FLOPs reaches the known values of the
protocol (.608 at 100 labels, .678 at 1,024); with test accuracy it reaches .03 more. Zero-shot: fitted only on labels and
structures of NAS-Bench-101 cells; no network of NAS-Bench-201 is seen before the ranking.

Usage: python -m benchmarks.predictors.predictor_nasbench201 [--predictors linear forest] [--workers 2] [--quick] [--print] [--redo]
The first encoding of all networks takes about half an hour of processor time. Finished cells of the tables are kept.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.support import encoding_cache, nasbench_data
from benchmarks.support.nasbench_data import Table as Networks
from benchmarks.support.places import RESULTS
from predictors import StructureGraph, create
from predictors.calibration import ranking
from predictors.calibration.target import accuracy_of, to_target

PREDICTORS = ("constant", "density", "linear", "forest", "gnn", "ensemble")
BASELINES = ("params + MFLOPs, ridge", "params + MFLOPs, forest")
ZERO_SHOT_MOST = {"gnn": 5000, "ensemble": 5000}
"""Most NAS-Bench-101 networks on which slow predictors are fitted."""
KNOWN: tuple[tuple[int, str, float], ...] = (
    (100, "known: params + FLOPs only", 0.608),
    (100, "known: GNN", 0.72),
    (100, "known: forest on graph features", 0.746),
    (100, "known: boosted trees", 0.759),
    (100, "known: trees and GNN, rank average", 0.768),
    (467, "known: best from structure", 0.844),
    (467, "published: with zero-cost proxies", 0.858),
    (1024, "known: params + FLOPs only", 0.678),
    (1024, "known: forest on graph features", 0.822),
    (1024, "known: forest with proxies", 0.845),
)
"""Labels, method, τ: numbers to beat, from papers or measured by others; they are not measured here."""
KNOWN_ZERO_SHOT = (("published: ONNX-Net", 0.747), ("published: GENNAPE", 0.815))

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Method = Callable[[Rows, Rows, Floats, int], tuple[Floats, float]]
"""Rows to fit on, rows to predict, accuracies of the first, a seed → predictions for the second, seconds of the fit."""


class Cell(TypedDict):
    """One entry of a table: mean and standard deviation over seeds."""

    accuracy: str
    labels: int
    name: str
    seeds: int
    encoder: str
    networks: int
    tau: float
    tau_spread: float
    rho: float
    rho_spread: float
    seconds_a_fit: float


class Report(TypedDict):
    """Content of the JSON."""

    question: str
    networks: int
    cells: list[Cell]
    zero_shot: list[Cell]


def main() -> None:
    """Measure missing cells, write after every cell, print the tables."""
    args = _arguments()
    path = RESULTS / ("predictor_nasbench201_quick.json" if args.quick else "predictor_nasbench201.json")
    report = _stored(path)
    if not args.print:
        _measure(args, report, path)
    _print_labels(report, args.accuracies)
    _print_zero_shot(report)
    print(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("NAS_DATA_DIR"))
    parser.add_argument("--predictors", nargs="*", default=list(PREDICTORS), help="names; none: baselines only")
    parser.add_argument("--labels", type=int, nargs="*", default=[32, 100, 467, 1024], help="none: zero-shot only")
    parser.add_argument("--accuracies", nargs="+", choices=["val", "test"], default=["val", "test"])
    parser.add_argument("--seeds", type=int, default=5, help="splits into labelled and ranked networks")
    parser.add_argument("--networks", type=int, default=None, help="of NAS-Bench-201; default: all 9,445")
    parser.add_argument("--zero-shot", type=int, default=20000, help="NAS-Bench-101 networks to fit on; 0: leave out")
    parser.add_argument("--zero-shot-seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="processes that encode")
    parser.add_argument("--redo", action="store_true", help="measure again what is stored")
    parser.add_argument("--print", action="store_true", help="only print what is stored")
    parser.add_argument("--quick", action="store_true", help="a smoke test: 200 networks, 32 labels, two seeds")
    args = parser.parse_args()
    if not args.print and args.data_dir is None:
        parser.error("no data: give --data-dir or set NAS_DATA_DIR")
    if args.quick:
        args.networks, args.labels, args.seeds, args.zero_shot, args.zero_shot_seeds = 200, [32], 2, 100, 1
        args.predictors = [name for name in args.predictors if name not in ZERO_SHOT_MOST]
    return args


def _stored(path: Path) -> Report:
    if path.exists():
        found: Report = json.loads(path.read_text())
        return found
    return Report(question=(__doc__ or "").splitlines()[0], networks=0, cells=[], zero_shot=[])


def _write(report: Report, path: Path) -> None:
    """Write to a temporary file and rename it, since a run may be killed at any moment."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(report, indent=1) + "\n")
    temporary.replace(path)


def _measure(args: argparse.Namespace, report: Report, path: Path) -> None:
    targets = nasbench_data.nasbench201_table(args.data_dir)
    number = report["networks"] = args.networks or len(targets.specs)
    graphs = encoding_cache.graphs(targets, number, args.workers, _tell) if args.predictors else []
    for accuracy in args.accuracies:
        measured = targets.accuracies[accuracy][:number]
        for labels in args.labels:
            for name, method in _methods(graphs, targets.sizes[:number], args.predictors).items():
                key = "" if name in BASELINES else targets.key  # baselines read no graph
                if args.redo or not _finished(report["cells"], (accuracy, labels, name, args.seeds, key, number)):
                    scores = list(_splits(method, measured, labels, args.seeds))
                    _keep(report["cells"], _cell(accuracy, labels, name, key, number, scores))
                    _write(report, path)
    if args.zero_shot and args.predictors:
        sources = nasbench_data.nasbench101_table(args.data_dir)
        _zero_shot(args, report, path, sources, graphs, targets.accuracies)


def _methods(graphs: Sequence[StructureGraph], sizes: Floats, names: Sequence[str]) -> dict[str, Method]:
    """The baselines, then the predictors."""
    logarithms = np.log(sizes)
    baselines = dict(zip(BASELINES, (_ridge(logarithms), _forest(logarithms)), strict=True))
    return baselines | {name: _predictor(name, graphs) for name in names}


def _predictor(name: str, graphs: Sequence[StructureGraph]) -> Method:
    def method(fitted: Rows, ranked: Rows, accuracies: Floats, seed: int) -> tuple[Floats, float]:
        begin = time.perf_counter()
        predictor = create(name).fit([graphs[row] for row in fitted], accuracies, seed=seed)
        seconds = time.perf_counter() - begin
        return predictor.predict([graphs[row] for row in ranked]).mean, seconds

    return method


def _ridge(table: Floats) -> Method:
    def method(fitted: Rows, ranked: Rows, accuracies: Floats, seed: int) -> tuple[Floats, float]:
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(1e-3, 1e4, 22)))
        return _fit_and_predict(model, table, fitted, ranked, accuracies)

    return method


def _forest(table: Floats) -> Method:
    def method(fitted: Rows, ranked: Rows, accuracies: Floats, seed: int) -> tuple[Floats, float]:
        from sklearn.ensemble import ExtraTreesRegressor

        model = ExtraTreesRegressor(200, random_state=seed)
        return _fit_and_predict(model, table, fitted, ranked, accuracies)

    return method


def _fit_and_predict(
    model: object, table: Floats, fitted: Rows, ranked: Rows, accuracies: Floats
) -> tuple[Floats, float]:
    begin = time.perf_counter()
    model.fit(table[fitted], to_target(accuracies))  # type: ignore[attr-defined]
    seconds = time.perf_counter() - begin
    said = model.predict(table[ranked])  # type: ignore[attr-defined]
    return accuracy_of(said), seconds


def _splits(method: Method, measured: Floats, labels: int, seeds: int) -> Iterator[tuple[float, float, float]]:
    """τ, ρ and seconds of the fit for every split; all methods see the same ones."""
    for seed in range(seeds):
        order = np.random.default_rng([labels, seed]).permutation(len(measured))
        fitted, ranked = order[:labels], order[labels:]
        said, seconds = method(fitted, ranked, measured[fitted], seed)
        yield ranking.kendall(measured[ranked], said), ranking.spearman(measured[ranked], said), seconds


def _zero_shot(
    args: argparse.Namespace,
    report: Report,
    path: Path,
    sources: Networks,
    targets: Sequence[StructureGraph],
    measured: dict[str, Floats],
) -> None:
    """Fit on test accuracies of NAS-Bench-101, rank NAS-Bench-201. Networks are in random order, so the first are a sample."""
    key, number = sources.key, min(args.zero_shot, len(sources.specs))
    graphs = encoding_cache.graphs(sources, number, args.workers, _tell)
    for name in args.predictors:
        most = min(number, ZERO_SHOT_MOST.get(name, number))
        known = [
            _finished(report["zero_shot"], (accuracy, most, name, args.zero_shot_seeds, key, len(targets)))
            for accuracy in args.accuracies
        ]
        if all(known) and not args.redo:
            continue
        scores: dict[str, list[tuple[float, float, float]]] = {accuracy: [] for accuracy in args.accuracies}
        for seed in range(args.zero_shot_seeds):
            rows = np.random.default_rng([most, seed]).permutation(number)[:most]
            begin = time.perf_counter()
            predictor = create(name).fit([graphs[row] for row in rows], sources.accuracies["test"][rows], seed=seed)
            seconds = time.perf_counter() - begin
            said = predictor.predict(targets).mean
            for accuracy, found in scores.items():
                truth = measured[accuracy][: len(targets)]
                found.append((ranking.kendall(truth, said), ranking.spearman(truth, said), seconds))
        for accuracy, found in scores.items():
            _keep(report["zero_shot"], _cell(accuracy, most, name, key, len(targets), found))
        _write(report, path)


def _finished(cells: Sequence[Cell], wanted: tuple[str, int, str, int, str, int]) -> bool:
    """Whether there is a cell of this accuracy, labels, name, seeds, encoder and number of networks."""
    return any(wanted == (*_place(cell), cell["seeds"], cell["encoder"], cell.get("networks")) for cell in cells)


def _keep(cells: list[Cell], cell: Cell) -> None:
    """Add a cell; it replaces an older one for the same measurement."""
    cells[:] = [*(other for other in cells if _place(other) != _place(cell)), cell]
    _tell(f"{cell['accuracy']}, {cell['labels']} labels, {cell['name']}: τ {cell['tau']:.3f}, ρ {cell['rho']:.3f}")


def _place(cell: Cell) -> tuple[str, int, str]:
    return cell["accuracy"], cell["labels"], cell["name"]


def _cell(
    accuracy: str,
    labels: int,
    name: str,
    encoder: str,
    networks: int,
    scores: Sequence[tuple[float, float, float]],
) -> Cell:
    tau, rho, seconds = np.mean(scores, axis=0).tolist()
    tau_spread, rho_spread, _ = np.std(scores, axis=0).tolist()
    return Cell(
        accuracy=accuracy,
        labels=labels,
        name=name,
        seeds=len(scores),
        encoder=encoder,
        networks=networks,
        tau=tau,
        tau_spread=tau_spread,
        rho=rho,
        rho_spread=rho_spread,
        seconds_a_fit=seconds,
    )


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _print_labels(report: Report, accuracies: Sequence[str]) -> None:
    """A row a method, a column a number of labels; one table an accuracy."""
    for accuracy in accuracies:
        cells = {(cell["name"], cell["labels"]): cell for cell in report["cells"] if cell["accuracy"] == accuracy}
        labels = sorted({number for _, number in cells})
        table = Table(
            title=f"{report['networks']:,} networks, CIFAR-10 {accuracy} accuracy: τ on the others, mean ± sd"
        )
        table.add_column("ranked by")
        for number in labels:
            table.add_column(f"{number:,} labels", justify="right")
        table.add_column("s a fit, most labels", justify="right")
        for name in dict.fromkeys(name for name, _ in cells):
            found = [cells.get((name, number)) for number in labels]
            seconds = f"{found[-1]['seconds_a_fit']:.2f}" if found[-1] else ""
            table.add_row(name, *(_text(cell, "tau") if cell else "" for cell in found), seconds)
        if accuracy == "val":
            _add_known(table, labels)
        Console(width=120).print(table)


def _add_known(table: Table, labels: Sequence[int]) -> None:
    """Numbers of others, which are on validation accuracy."""
    table.add_section()
    for name in dict.fromkeys(name for number, name, _ in KNOWN if number in labels):
        known = {number: tau for number, other, tau in KNOWN if other == name}
        table.add_row(name, *(f"{known[number]:.3f}" if number in known else "" for number in labels), "")


def _print_zero_shot(report: Report) -> None:
    table = Table(title="Zero-shot: fitted on NAS-Bench-101 networks only, mean ± sd")
    for column in ("fitted on", "ranked by", "accuracy", "ρ", "τ", "s a fit"):
        table.add_column(column, justify="right" if column in ("fitted on", "ρ", "τ", "s a fit") else "left")
    for cell in report["zero_shot"]:
        seconds = f"{cell['seconds_a_fit']:.2f}"
        table.add_row(
            f"{cell['labels']:,}", cell["name"], cell["accuracy"], _text(cell, "rho"), _text(cell, "tau"), seconds
        )
    table.add_section()
    for name, rho in KNOWN_ZERO_SHOT:
        table.add_row("", name, "", f"{rho:.3f}", "", "")
    Console(width=120).print(table)


def _text(cell: Cell, name: str) -> str:
    value, spread = (cell["tau"], cell["tau_spread"]) if name == "tau" else (cell["rho"], cell["rho_spread"])
    return f"{value:.3f} ± {spread:.3f}"


if __name__ == "__main__":
    main()
