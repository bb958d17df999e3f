"""Do the shipped predictor's intervals hold for networks that others trained?

The files are MNIST and CIFAR-10 networks of other people. `onnx_index.csv` has their accuracies on the 10,000 official test images,
measured with onnxruntime. The networks are dense: no method pruned them. So the predictor is told neither a method nor weights.

Nobody stated how many examples each network was trained on, so two questions are asked about each file:
  few examples  MNIST by its name, as the predictor knows it; CIFAR-10 as `nas predictor describe` tells it from the images in the folder
  all examples  MNIST as `nas predictor describe` tells it from all images; CIFAR-10 as above, but with 45,000 examples
A file is handled well if its accuracy lies in the interval, or if the predictor says *outside* and gives a reason. A predictor that calls
every file outside passes, so each of the two shares is printed too. For τ, files of one family (exports of one network) count once, with
their mean prediction.

Usage: NAS_DATA_DIR=DATA python -m benchmarks.predictors.predictor_strangers_files [--predictor FOLDER] [--out FILE] [--print]
"""

import argparse
import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

import predictors
from benchmarks.support.places import RESULTS
from nas.tasks import load_task
from nas.tasks.description import describe
from predictors import FittedPredictor, StructureGraph, TaskDescription
from predictors.calibration.ranking import kendall

STORED = RESULTS / "predictor_strangers_files.json"
BAR = 0.85
"""Least share of the files that must be handled well."""
FEW, ALL = "few examples", "all examples"
CIFAR_EXAMPLES = 45_000
"""Training examples of task cifar10 where all images are there: a tenth of the 50,000 is for validation."""
TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}

Tasks = Mapping[str, Mapping[str, TaskDescription]]


@dataclass(frozen=True, kw_only=True)
class KnownFile:
    """A file whose accuracy is known; `family` is the same for all exports of one network."""

    path: Path
    family: str
    dataset: str
    accuracy: float
    params: int


def main() -> None:
    """Ask, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("NAS_DATA_DIR"))
    parser.add_argument(
        "--predictor", default="default", metavar="FOLDER", help="another one than the shipped predictor"
    )
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored tables")
    parser.add_argument("--out", type=Path, default=STORED)
    args = parser.parse_args()
    if args.print:
        _print(json.loads(args.out.read_text()))
        return
    if args.data_dir is None:
        parser.error("no data: give --data-dir or set NAS_DATA_DIR")
    if args.predictor != "default" and args.out == STORED:
        parser.error(f"{STORED.name} holds the answer of the shipped predictor: give --out for another one")
    found = measured(predictors.load(args.predictor), Path(args.data_dir))
    temporary = args.out.with_suffix(".tmp")
    temporary.write_text(json.dumps(found, indent=1) + "\n")
    temporary.replace(args.out)
    _print(found)


def measured(predictor: FittedPredictor, data_dir: Path) -> dict[str, Any]:
    """All answers, and what they sum up to."""
    files, tasks = known_files(data_dir / "onnx"), described(predictor, data_dir)
    graphs = predictors.encode_all([file.path for file in files])
    rows = [
        {
            "file": file.path.name,
            "family": file.family,
            "dataset": file.dataset,
            "accuracy": file.accuracy,
            "params": file.params,
            "answers": {
                question: answer(predictor, graph, tasks[file.dataset][question], file) for question in (FEW, ALL)
            },
        }
        for file, graph in zip(files, graphs, strict=True)
    ]
    return {
        "question": (__doc__ or "").splitlines()[0],
        "training_graphs": predictor.training_graphs,
        "tasks": {name: {question: task.samples for question, task in asked.items()} for name, asked in tasks.items()},
        "files": rows,
        "shares": {
            question: {name: shares(rows, question, name) for name in (*TITLES, "all")} for question in (FEW, ALL)
        },
        "tau": {name: taus(rows, name) for name in TITLES},
    }


def known_files(folder: Path) -> list[KnownFile]:
    """The files with a measured accuracy, those of one network side by side."""
    with (folder / "onnx_index.csv").open(newline="") as index:
        found = [
            KnownFile(
                path=folder / row["file"],
                family=row["family"] or Path(row["file"]).stem,
                dataset=row["dataset"],
                accuracy=float(row["test_acc"]),
                params=int(row["params"]),
            )
            for row in csv.DictReader(index)
            if row["test_acc"]
        ]
    return sorted(found, key=lambda file: (list(TITLES).index(file.dataset), file.family, file.path.name))


def described(predictor: FittedPredictor, data_dir: Path) -> Tasks:
    """Two descriptions of each data set; a predictor that does not know MNIST gets the same description twice."""
    mnist, cifar = (describe(load_task(name, data_dir=data_dir)) for name in TITLES)
    return {
        "mnist": {FEW: predictor.tasks.get("mnist", mnist), ALL: mnist},
        "cifar10": {FEW: cifar, ALL: replace(cifar, samples=CIFAR_EXAMPLES)},
    }


def answer(predictor: FittedPredictor, graph: StructureGraph, task: TaskDescription, file: KnownFile) -> dict[str, Any]:
    """The prediction for one file, and how well it was handled."""
    graph = graph.on(task)
    said = predictor.predict([graph])
    outside, low, high = bool(said.outside[0]), float(said.low[0]), float(said.high[0])
    return {
        "mean": float(said.mean[0]),
        "low": low,
        "high": high,
        "holds": low <= file.accuracy <= high,
        "distance": float(said.distance[0]),
        "outside": outside,
        "doubtful": bool(said.doubtful[0]),
        "unseen": bool(said.unseen[0]),
        "why": predictor.unlike(graph) if outside else "",
    }


def shares(rows: Sequence[Mapping[str, Any]], question: str, dataset: str) -> dict[str, Any]:
    """Shares of the files of one data set, or of all."""
    chosen = [row for row in rows if dataset in (row["dataset"], "all")]
    said = [row["answers"][question] for row in chosen]
    inside = [one["holds"] for one in said if not one["outside"]]
    return {
        "files": len(said),
        "well": mean(one["holds"] or bool(one["why"]) for one in said),
        "holds": mean(one["holds"] for one in said),
        "outside with a reason": mean(bool(one["why"]) for one in said),
        "not outside": len(inside),
        "holds, not outside": mean(inside) if inside else None,
        "doubtful": mean(one["doubtful"] for one in said),
        "unseen": mean(one["unseen"] for one in said),
        "width": mean(one["high"] - one["low"] for one in said),
        "bias": mean(one["mean"] - row["accuracy"] for one, row in zip(said, chosen, strict=True)),
    }


def taus(rows: Sequence[Mapping[str, Any]], dataset: str) -> dict[str, float]:
    """Kendall's τ with the accuracies of the networks of one data set; `chance` is the standard deviation of τ of unrelated rankings."""
    networks: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["dataset"] == dataset:
            networks.setdefault(row["family"], []).append(row)
    accuracies = [mean(row["accuracy"] for row in files) for files in networks.values()]
    sizes = [mean(row["params"] for row in files) for files in networks.values()]
    said = {
        question: [mean(row["answers"][question]["mean"] for row in files) for files in networks.values()]
        for question in (FEW, ALL)
    }
    count = len(networks)
    return {
        "networks": count,
        "chance": sqrt(2 * (2 * count + 5) / (9 * count * (count - 1))),
        "parameters": kendall(accuracies, sizes),
        **{question: kendall(accuracies, predicted) for question, predicted in said.items()},
    }


def _print(found: Mapping[str, Any]) -> None:
    console = Console(width=150)
    for name, title in TITLES.items():
        few, every = (f"{found['tasks'][name][question]:,} examples" for question in (FEW, ALL))
        table = Table(title=f"{title}: accuracy in %, predicted: 9 times in 10")
        for column in ("file", "true", few, "", every, "", f"support, {few}"):
            table.add_column(column, justify="left" if column.startswith(("file", "support")) else "right")
        for row in (row for row in found["files"] if row["dataset"] == name):
            answers = [row["answers"][question] for question in (FEW, ALL)]
            told = [text for said in answers for text in _told(said)]
            table.add_row(row["file"], f"{100 * row['accuracy']:.1f}", *told, _support(answers[0]))
        console.print(table)
    console.print(_shares(found["shares"]))
    console.print(_taus(found["tau"]))


def _told(said: Mapping[str, Any]) -> tuple[str, str]:
    """Prediction with interval, and whether the accuracy lies in it."""
    interval = f"{100 * said['mean']:.1f}: {100 * said['low']:.1f} to {100 * said['high']:.1f}"
    return interval, "holds" if said["holds"] else "misses"


def _support(said: Mapping[str, Any]) -> str:
    """All that is said about the prediction; `nas predict` prints the reason and the first of the words."""
    words = [word for word in ("unseen", "doubtful") if said[word]]
    outside = f"outside × {said['distance']:.1f}" if said["outside"] else "inside"
    return ", ".join([outside, *words]) + (f": {said['why']}" if said["why"] else "")


def _shares(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    columns = {
        "well": f"in the interval, or outside with a reason (bar ≥ {BAR})",
        "holds": "in the interval",
        "outside with a reason": "outside with a reason",
        "holds, not outside": "not outside: in the interval",
        "doubtful": "doubtful",
        "unseen": "unseen",
        "width": "mean width of the interval",
        "bias": "mean of predicted − true",
    }
    table = Table(title="shares of the files")
    table.add_column("")
    for column in ("files", *columns.values()):
        table.add_column(column, justify="right")
    for question, sums in found.items():
        for name, one in sums.items():
            told = ("no file" if one[key] is None else f"{one[key]:.3f}" for key in columns)
            table.add_row(f"{TITLES.get(name, 'both')}, {question}", str(one["files"]), *told)
    return table


def _taus(found: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(title="Kendall's τ with the true accuracy")
    for column in ("", "networks", "sd by chance", "parameters", FEW, ALL):
        table.add_column(column, justify="right" if column else "left")
    for name, tau in found.items():
        table.add_row(
            TITLES[name], str(tau["networks"]), *(f"{tau[key]:.3f}" for key in ("chance", "parameters", FEW, ALL))
        )
    return table


if __name__ == "__main__":
    main()
