"""Does the graph network earn its place beside predictors that read hand-made features?

The graph network reads operators, units, links and masks. It comes in three forms: without the features of the whole graph (it knows
task and method all the same), with them, and with them after a pretraining without labels. All predictors see the same networks, with
the task and the method told, and predict the accuracy with fresh weights.

Sections, each resumable (a finished row is not computed again; --redo starts from the beginning):
  random    drawn and learned masks of all domains, divided at random
  left out  fitted on 2,000 networks, judged on a part of which none was seen: the masks of two methods, a fifth of the
            architectures, one task
Columns: τ, Kendall's τ inside (domain, density band) cells; "learned", inside the masks that methods found in one architecture.
"mean ± sd" is over draws of the labelled networks; "fit s" is processor time. Nothing is chosen on judged networks, and the
pretraining uses networks that are neither labelled nor judged.
Usage: python -m benchmarks.predictors.predictor_gnn [SECTION ...] [--methods NAME ...] [--print] [--redo] [--quick]
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.predictors.label_free_pretraining import Pretrained, pretrained
from benchmarks.support.corpus_graphs import corpus_graphs
from benchmarks.support.places import CORPUS, RESULTS
from nas import Corpus
from nas.corpus.examples import architecture_of, examples
from predictors import Predictor, StructureGraph, create, kendall_inside
from predictors.features.matrix import SUMMARY_FEATURES
from predictors.models.gnn.gnn import GNNPredictor, Scaling

STORED = RESULTS / "predictor_gnn.json"
SEEDS: Mapping[str, Mapping[int, int]] = {
    "random": {30: 3, 100: 3, 500: 2, 5000: 1},
    "left out": {2000: 1},
}
"""Number of draws, by section and number of labels."""
PLAIN, WHOLE, PRETRAINED = "gnn, no whole-graph features", "gnn", "gnn, pretrained"
METHODS = ("forest", "gp", "quick", "ensemble", PLAIN, WHOLE, PRETRAINED)
SKIPPED = {("random", 5000): ("ensemble", PRETRAINED), ("left out", 2000): ("ensemble", PRETRAINED)}
"""The ensemble takes too long there, and a pretraining is for few labels."""
JUDGED, ARCHITECTURES, MASKS = 1600, 350, 4
"""Judged networks of a random division: drawn masks, and so many learned masks of each of so many architectures."""
STRUCTURES = 1500
"""Networks whose labels nobody sees, for the pretraining."""
STEPS = 600
HELD_METHODS, HELD_TASK, FOLDS = ("gumbel", "rigl"), "mnist", 5
TOLD = ("task_", "origin_")
"""First letters of the columns that tell task and origin, which no structure shows."""
HIDDEN = 1e30
"""Spread of a column that makes it 0 after scaling."""

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class WithoutWholeGraph(GNNPredictor):
    """The graph network without the features of the whole graph; it is still told task and origin."""

    def _new_scaling(self, graphs: Sequence[StructureGraph], targets: Floats) -> Scaling:
        scaling = super()._new_scaling(graphs, targets)
        told = np.array([name.startswith(TOLD) for name in SUMMARY_FEATURES])
        return replace(scaling, graph_spread=np.where(told, scaling.graph_spread, HIDDEN).astype(np.float32))


@dataclass(frozen=True, eq=False, kw_only=True)
class Division:
    """A division of the rows.

    Attributes:
        left_out: what is not in the fit; empty for a random division.
        fitted, judged: rows to fit on and to judge.
        structures: rows to pretrain on, whose labels nobody sees.
    """

    left_out: str
    fitted: Rows
    judged: Rows
    structures: Rows


class Judge:
    """The corpus with its graphs, and the divisions."""

    def __init__(self, corpus: Corpus, graphs: Sequence[StructureGraph], *, quick: bool = False) -> None:
        """With `quick`, everything is small."""
        found = examples(corpus, graphs, untold=0.0)
        fresh = [place for place, one in enumerate(found.graphs) if one.origin is None or one.origin.weights == "fresh"]
        self.graphs = [found.graphs[place] for place in fresh]
        self.accuracies, self.quick = found.accuracies[fresh], quick
        self.cells = corpus.cells
        self.method = np.array([one.recipe for one in corpus.networks])
        self.task = np.array([corpus.domains[one.domain].task for one in corpus.networks])
        self.learned = np.array([one.learned is not None for one in corpus.networks])
        self.architecture = np.array([architecture_of(corpus, row) for row in range(len(corpus))])
        self.held = _held(corpus)
        self._starts: dict[bytes, Pretrained] = {}

    def divisions(self, section: str, labels: int) -> Iterator[tuple[int, Division]]:
        """The draw's number and the division."""
        for draw in range(1 if self.quick else SEEDS[section][labels]):
            rng = np.random.default_rng([draw, labels])
            if section == "random":
                yield draw, self._division("", self._random(), np.ones(len(self.graphs), bool), labels, rng)
                continue
            fifth = np.unique(self.architecture)
            fifth = fifth[np.random.default_rng(0).permutation(len(fifth))[: len(fifth) // FOLDS]]
            known = np.isin(self.architecture, fifth)
            task = self.task == HELD_TASK
            parts = {"methods": self.held & self.learned, "architectures": known, HELD_TASK: task}
            for name, part in parts.items():
                yield draw, self._division(name, np.flatnonzero(part), ~part, labels, rng)

    def _random(self) -> Rows:
        """Judged rows, the same in all draws: random drawn masks, and some of the learned masks of some architectures."""
        rng = np.random.default_rng(0)
        drawn, learned = rng.permutation(np.flatnonzero(~self.learned)), self.architecture[self.learned]
        some = rng.permutation(np.unique(learned))[:ARCHITECTURES]
        own = [rng.permutation(np.flatnonzero(self.learned & (self.architecture == one)))[:MASKS] for one in some]
        return np.sort(np.concatenate([drawn[:JUDGED], *own]))

    def _division(
        self, name: str, judged: Rows, allowed: NDArray[np.bool_], labels: int, rng: np.random.Generator
    ) -> Division:
        """At most as many judged rows as in a random division; labels and structures from the other allowed rows."""
        most = 60 if self.quick else JUDGED + ARCHITECTURES * MASKS
        if len(judged) > most:
            judged = np.sort(np.random.default_rng(0).permutation(judged)[:most])
        free = np.setdiff1d(np.flatnonzero(allowed), judged)
        free = np.random.default_rng(1).permutation(free)
        count = 64 if self.quick else STRUCTURES
        fitted = np.sort(rng.permutation(free[count:])[: min(labels, 40) if self.quick else labels])
        return Division(left_out=name, fitted=fitted, judged=judged, structures=np.sort(free[:count]))

    def row(self, method: str, division: Division, seed: int) -> dict[str, Any]:
        """Fit on the division and judge."""
        own = [self.graphs[row] for row in division.fitted]
        predictor = self._predictor(method, division)
        begin = time.process_time()
        predictor.fit(own, self.accuracies[division.fitted], seed=seed)
        seconds = time.process_time() - begin
        said = predictor.predict([self.graphs[row] for row in division.judged])
        truth = self.accuracies[division.judged]
        learned = self.learned[division.judged]
        cells = ["/".join(self.cells[row]) for row in division.judged.tolist()]
        inside = (said.low <= truth) & (truth <= said.high)
        return {
            "left_out": division.left_out,
            "seed": seed,
            "fitted": len(division.fitted),
            "judged": len(truth),
            "tau": kendall_inside(truth, said.mean, cells),
            "tau_learned": kendall_inside(
                truth[learned], said.mean[learned], self.architecture[division.judged][learned].tolist()
            ),
            "error": 100 * float(np.abs(said.mean - truth).mean()),
            "holds": float(inside.mean()),
            "fit_seconds": seconds,
        }

    def _predictor(self, method: str, division: Division) -> Predictor:
        if method == PLAIN:
            return WithoutWholeGraph()
        if method != PRETRAINED:
            return create(method)
        key = division.structures.tobytes()
        if key not in self._starts:
            told = [self.graphs[row] for row in division.structures]
            self._starts[key], _ = pretrained(told, 20 if self.quick else STEPS, seed=0)
        start = self._starts[key]
        return Pretrained(start._start, start._before)


def _held(corpus: Corpus) -> NDArray[np.bool_]:
    """Masks of the held methods, and children with such a parent."""
    own = {one.structure for one in corpus.networks if one.learned is not None and one.recipe in HELD_METHODS}
    return np.array(
        [
            one.learned is not None and (one.recipe in HELD_METHODS or not own.isdisjoint(one.learned.parents))
            for one in corpus.networks
        ]
    )


def main() -> None:
    """Compute missing rows, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SEEDS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, metavar="NAME", help="instead of all")
    parser.add_argument("--labels", nargs="+", type=int, help="instead of the section's own")
    parser.add_argument("--workers", type=int, default=1, help="processes that encode")
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored tables")
    parser.add_argument("--redo", action="store_true", help="compute the chosen rows again")
    parser.add_argument("--quick", action="store_true", help="a smoke test: few networks, one draw")
    args = parser.parse_args()
    args.sections = args.sections or list(SEEDS)
    unknown = set(args.sections) - set(SEEDS)
    if unknown:
        parser.error(f"no section {sorted(unknown)[0]!r}; there are {', '.join(SEEDS)}")
    path = STORED.with_name("predictor_gnn_quick.json") if args.quick else STORED
    store: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"rows": {}}
    if not args.print:
        _compute(store, path, args)
    for section in args.sections:
        _print(store["rows"], section)


def _compute(store: dict[str, Any], path: Path, args: argparse.Namespace) -> None:
    """Add the missing rows; those of another state of the corpus are computed anew."""
    corpus = Corpus.read(CORPUS)
    if store.get("networks", len(corpus)) != len(corpus):
        print("the corpus has changed: all rows are computed anew", flush=True)
        store["rows"] = {}
    store |= {"question": (__doc__ or "").splitlines()[0], "networks": len(corpus)}
    judge = Judge(corpus, corpus_graphs(corpus, args.workers), quick=args.quick)
    torch.set_num_threads(1)
    for section in args.sections:
        for labels in args.labels or SEEDS[section]:
            for draw, division in judge.divisions(section, labels):
                for method in args.methods or METHODS:
                    key = f"{section}/{labels}/{division.left_out}/{method}/{draw}"
                    skipped = method in SKIPPED.get((section, labels), ())
                    if (skipped and not args.methods) or (key in store["rows"] and not args.redo):
                        continue
                    store["rows"][key] = row = judge.row(method, division, draw)
                    _write(store, path)
                    print(f"{key}: τ {row['tau']:.3f}, {row['fit_seconds']:.0f} s", flush=True)


def _write(store: Mapping[str, Any], path: Path) -> None:
    """Write to a temporary file and rename it, since a run may be killed at any moment."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(store, indent=1) + "\n")
    temporary.replace(path)


def _print(rows: Mapping[str, dict[str, Any]], section: str) -> None:
    keys = [key.split("/") for key in rows if key.startswith(f"{section}/")]
    for labels, left_out in dict.fromkeys((key[1], key[2]) for key in keys):
        title = f"{section}: {left_out}, {labels} labels" if left_out else f"{section}, {labels} labels"
        table = Table(title=title)
        for head in ("ranked by", "τ", "learned, τ", "error, points", "90 % hold", "fit s"):
            table.add_column(head, justify="left" if head == "ranked by" else "right")
        for method in METHODS:
            start = f"{section}/{labels}/{left_out}/{method}/"
            own = [row for key, row in rows.items() if key.startswith(start)]
            if own:
                columns: tuple[tuple[str, Callable[[float], str]], ...] = (
                    ("error", "{:.1f}".format),
                    ("holds", "{:.2f}".format),
                    ("fit_seconds", "{:.0f}".format),
                )
                table.add_row(
                    method,
                    *(_spread([row[name] for row in own]) for name in ("tau", "tau_learned")),
                    *(shown(mean(row[name] for row in own)) for name, shown in columns),
                )
        Console(width=120).print(table)


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
