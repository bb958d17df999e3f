"""How well does structure rank sparse networks, beside density, layer densities, effective edges, and the noise of one training?

Random networks of a search space (architectures and mask recipes at random) are trained twice with different seeds. Predictors
are fitted on the first training of some of the networks; the others are ranked, and compared with their second training,
which is what the ceiling is too: the agreement of the two trainings of the same networks. Inside cells only networks with a
similar number of non-zeros are ranked against each other, so that size alone is worth little there.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.support.places import RESULTS
from onnx_graph import count, masks
from predictors import StructureGraph, create
from predictors.calibration import ranking
from predictors.calibration.target import accuracy_of, to_target

CELLS = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Networks:
    """Trained networks: their graphs, two measured accuracies each ``(2, networks)``, and the baselines' numbers."""

    graphs: list[StructureGraph]
    accuracies: Floats
    density: Floats
    layer_densities: Floats
    nnz: Floats
    seconds: dict[str, float]

    @property
    def cells(self) -> NDArray[np.int64]:
        """Fifths of the networks by number of non-zeros."""
        return np.argsort(np.argsort(self.nnz)) * CELLS // len(self.nnz)


def main() -> None:
    """Train, judge, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits")
    parser.add_argument("--space", default="mlp")
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 200])
    parser.add_argument("--splits", type=int, default=5, help="number of random splits into fitted and ranked networks")
    parser.add_argument("--seed", type=int, default=0, help="of the networks, their trainings and the splits")
    parser.add_argument("--predictors", nargs="+", default=["linear", "forest", "ensemble", "gnn"])
    parser.add_argument("--quick", action="store_true", help="a smoke test: few networks, two epochs")
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    if args.quick:
        args.networks, args.epochs, args.labels, args.splits = 40, 2, [24], 2
    networks = make_networks(args.task, args.space, args.networks, args.epochs, args.seed)
    rows = [
        {"labels": labels, "name": name, **judge(method, networks, labels, args.splits, args.seed)}
        for labels in args.labels
        for name, method in methods(networks, args.predictors).items()
    ]
    ceiling = asdict(ranking.noise_ceiling(*networks.accuracies, networks.cells.tolist()))
    print_table(args, rows, ceiling)
    result = {
        "question": (__doc__ or "").splitlines()[0],
        "settings": {key: value for key, value in vars(args).items() if key != "out"},
        "networks": len(networks.graphs),
        "accuracy": {
            "min": networks.accuracies.min(),
            "max": networks.accuracies.max(),
            "mean": networks.accuracies.mean(),
        },
        "seconds": networks.seconds,
        "ceiling": ceiling,
        "rows": rows,
    }
    path = args.out or RESULTS / ("predictor_ranking_quick.json" if args.quick else "predictor_ranking.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path)


def make_networks(task_name: str, space_name: str, number: int, epochs: int, seed: int) -> Networks:
    """Draw, encode and train twice; a network whose training diverged is left out."""
    import search_spaces
    from nas import TrainingOptions, TrainingResult, load_task, train_population
    from predictors import encode

    task = load_task(task_name)
    space = search_spaces.create(space_name, task.signature)
    rng = np.random.default_rng(seed)
    models = [space.build(space.sample(rng)) for _ in range(number)]
    begin = time.perf_counter()
    graphs = [encode(model) for model in models]
    seconds = {"encode": time.perf_counter() - begin}
    begin = time.perf_counter()
    seeds = [1000 * seed + place for place in range(2 * number)]
    results = train_population(models + models, task, TrainingOptions(epochs=epochs), seeds=seeds)
    seconds["train"] = time.perf_counter() - begin
    accuracies = np.array([one.accuracy if isinstance(one, TrainingResult) else np.nan for one in results]).reshape(
        2, -1
    )
    kept = np.flatnonzero(np.isfinite(accuracies).all(axis=0))
    counts = [count(models[place]) for place in kept]
    nnz = np.array([one.nnz for one in counts], np.float64)
    return Networks(
        graphs=[graphs[place] for place in kept],
        accuracies=accuracies[:, kept],
        density=nnz / np.array([one.weights for one in counts]),
        layer_densities=_layer_densities([models[place] for place in kept]),
        nnz=nnz,
        seconds=seconds,
    )


def _layer_densities(models: Sequence[ir.Model]) -> Floats:
    """Density and log non-zeros of every weight in node order, ``(networks, 2 · most weights)``; 0 where there is none."""
    layers = [[(mask.mean(), np.log1p(mask.sum())) for mask in masks(model).values()] for model in models]
    table = np.zeros((len(models), max(map(len, layers)), 2))
    for row, layer in enumerate(layers):
        table[row, : len(layer)] = layer
    return table.reshape(len(models), -1)


Method = Callable[[NDArray[np.int64], NDArray[np.int64], Floats, int], Floats]
"""Rows to fit on, rows to predict, accuracies of the first, a seed → predicted accuracies of the second."""


def methods(networks: Networks, names: Sequence[str]) -> dict[str, Method]:
    """The baselines and the predictors, each from the same numbers."""
    found: dict[str, Method] = {
        "constant": _predictor("constant", networks.graphs),
        "density (share kept)": _ridge(np.log(np.maximum(networks.density, 1e-6))[:, None]),
        "layer densities (ridge)": _ridge(networks.layer_densities),
        "effective edges (density)": _predictor("density", networks.graphs),
    }
    return found | {name: _predictor(name, networks.graphs) for name in names}


def _predictor(name: str, graphs: Sequence[StructureGraph]) -> Method:
    def method(fitted: NDArray[np.int64], ranked: NDArray[np.int64], accuracies: Floats, seed: int) -> Floats:
        predictor = create(name).fit([graphs[row] for row in fitted], accuracies, seed=seed)
        return predictor.predict([graphs[row] for row in ranked]).mean

    return method


def _ridge(table: Floats) -> Method:
    def method(fitted: NDArray[np.int64], ranked: NDArray[np.int64], accuracies: Floats, seed: int) -> Floats:
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(1e-3, 1e4, 22)))
        said = model.fit(table[fitted], to_target(accuracies)).predict(table[ranked])
        return accuracy_of(said)

    return method


def judge(method: Method, networks: Networks, labels: int, splits: int, seed: int) -> dict[str, float]:
    """Mean over random splits, and standard deviation over them (``…_spread``), of τ, τ inside cells and R²."""
    scores = []
    begin = time.perf_counter()
    for split in range(splits):
        order = np.random.default_rng([seed, split]).permutation(len(networks.graphs))
        fitted, ranked = order[:labels], order[labels:]
        predicted = method(fitted, ranked, networks.accuracies[0, fitted], split)
        measured = networks.accuracies[1, ranked]
        scores.append(
            (
                ranking.kendall(measured, predicted),
                ranking.kendall_inside(measured, predicted, networks.cells[ranked].tolist()),
                ranking.r2(measured, predicted),
                ranking.kendall(networks.accuracies[:, ranked].mean(axis=0), predicted),
            )
        )
    names = ("tau", "tau_inside", "r2", "tau_mean_of_two")
    mean, spread = np.mean(scores, axis=0), np.std(scores, axis=0)
    found = {name: float(value) for name, value in zip(names, mean, strict=True)}
    found |= {f"{name}_spread": float(value) for name, value in zip(names, spread, strict=True)}
    return found | {"seconds_a_fit": (time.perf_counter() - begin) / splits}


def print_table(args: argparse.Namespace, rows: Sequence[dict[str, object]], ceiling: dict[str, float]) -> None:
    """The table on stdout."""
    table = Table(
        title=f"{args.task}, {args.space}: {args.networks} networks × 2 trainings, mean ± spread of {args.splits} splits"
    )
    for column in ("labels", "ranked by", "τ", "τ inside cells", "R²", "τ, mean of two", "s a fit"):
        table.add_column(column, justify="left" if column == "ranked by" else "right")
    for row in rows:
        scores = [
            f"{row[key]:.3f} ± {row[f'{key}_spread']:.3f}" for key in ("tau", "tau_inside", "r2", "tau_mean_of_two")
        ]
        table.add_row(str(row["labels"]), str(row["name"]), *scores, f"{row['seconds_a_fit']:.2f}")
    table.add_row(
        "", "another training (ceiling)", *(f"{ceiling[key]:.3f}" for key in ("tau", "tau_inside", "r2")), "", ""
    )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
