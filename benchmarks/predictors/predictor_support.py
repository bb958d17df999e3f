"""Does a predictor of the corpus say "outside" of strangers' networks, and not of networks of its own kind?

The support is taken from a random half of the corpus; false alarms are counted on the other half, recall on real ONNX files (backend
models, verification networks, image classifiers), each encoded for every task and counted as outside only if it is so for all of
them. The share of a domain that is outside of the support of all other domains is only for information: a good predictor may
handle it well.

Usage: NAS_DATA_DIR=DATA python -m benchmarks.predictors.predictor_support [--seeds N] [--workers N] [--print]
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.support.corpus_graphs import corpus_graphs, domains_of, drawn_corpus
from benchmarks.support.places import RESULTS
from onnx_graph import GraphError
from predictors import StructureGraph, encode
from predictors.calibration.support import Support
from predictors.features.matrix import structure_matrix

STORED = RESULTS / "predictor_support.json"
BARS = {"recall": 0.95, "false alarms": 0.05}


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("NAS_DATA_DIR"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1, help="processes that encode the corpus")
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored table")
    args = parser.parse_args()
    if args.print:
        _print(json.loads(STORED.read_text()))
        return
    if args.data_dir is None:
        parser.error("no data: give --data-dir or set NAS_DATA_DIR")
    found = measured(Path(args.data_dir) / "onnx", args.seeds, args.workers)
    temporary = STORED.with_suffix(".tmp")
    temporary.write_text(json.dumps(found, indent=1) + "\n")
    temporary.replace(STORED)
    _print(found)


def measured(folder: Path, seeds: int, workers: int) -> dict[str, Any]:
    """Measure all numbers."""
    corpus = drawn_corpus()
    rows = structure_matrix(corpus_graphs(corpus, workers))
    files, refused = strangers(folder)
    domains = domains_of(corpus)
    tasks = [corpus.examples[name].description for name in domains]
    # A foreign file must be outside for every task.
    foreign = [structure_matrix([graph.on(task) for graph in files.values()]) for task in tasks]
    runs = [judged(rows, foreign, seed) for seed in range(seeds)]
    nearest = np.min([run.pop("distances") for run in runs], axis=0)
    order = np.argsort(nearest)[:10]
    return {
        "question": (__doc__ or "").splitlines()[0],
        "networks": len(corpus),
        "files": len(files),
        "refused": refused,
        "runs": runs,
        "unseen_domains": {
            name: unseen(rows, np.array([one.domain == name for one in corpus.networks])) for name in domains
        },
        "nearest_files": {list(files)[place]: float(nearest[place]) for place in order},
    }


def strangers(folder: Path) -> tuple[dict[str, StructureGraph], int]:
    """Structure graphs of the real files by name, and the number of files that cannot be read as models."""
    found, refused = {}, 0
    for path in sorted(folder.rglob("*.onnx")):
        try:
            found[str(path.relative_to(folder))] = encode(path)
        except GraphError:
            refused += 1
    return found, refused


def judged(rows: NDArray[np.float32], foreign: Sequence[NDArray[np.float32]], seed: int) -> dict[str, Any]:
    """Shares that are outside of the support of a random half, and the smallest distance of each file."""
    order = np.random.default_rng(seed).permutation(len(rows))
    half = len(rows) // 2
    support = Support.of(rows[order[:half]], np.random.default_rng(seed))
    distances = np.min([support.distances(part) for part in foreign], axis=0)
    return {
        "recall": float(np.mean(distances > 1)),
        "false alarms": float(np.mean(support.distances(rows[order[half:]]) > 1)),
        "distances": distances,
    }


def unseen(rows: NDArray[np.float32], domain: NDArray[np.bool_]) -> float:
    """Share of a domain that is outside of the support of all others."""
    support = Support.of(rows[~domain], np.random.default_rng(0))
    return float(np.mean(support.distances(rows[domain]) > 1))


def _print(found: Mapping[str, Any]) -> None:
    table = Table(title=f"{found['files']} real files against supports of {found['networks'] // 2:,} corpus networks")
    for column in ("", "share outside", "bar"):
        table.add_column(column, justify="left" if not column else "right")
    for name, bar in BARS.items():
        values = [run[name] for run in found["runs"]]
        spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
        table.add_row(name, f"{mean(values):.3f}{spread}", f"{'≥' if name == 'recall' else '≤'} {bar}")
    for name, share in found["unseen_domains"].items():
        table.add_row(f"{name}, never seen", f"{share:.3f}", "")
    for name, distance in found["nearest_files"].items():
        table.add_row(f"nearest file: {name}", f"× {distance:.1f}", "")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
