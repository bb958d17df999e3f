"""How well does structure tell the accuracy of networks whose masks were found by training?

Every network is judged by a predictor that saw no mask of the methods of `HELD`, nor a child of such a mask. In sections ``masks`` and
``before`` it did not see the architecture either (a fifth of the architectures is left out in turn), in section ``task`` no network of
the task. Nothing was chosen by these tables.

Sections:
  masks   learned masks, accuracy with fresh weights and with their own; the method is told or not told
  before  the mask does not exist yet: dense network, method and number of weights to keep
  task    as masks, the method told, with one task left out after the other
Columns: bias and mean error in points; "holds", share of accuracies inside the stated 90 % interval; "τ cell", Kendall's τ inside one
architecture at one number of kept weights (masks) or inside one number of kept weights of one domain (before); "held" columns are those
of the held methods alone, and in section ``before`` all others are those of the known methods. "τ method" compares architectures under
one method at one number of kept weights; "regret" is what the plan that is ranked first loses to the best one of its cell, in points.
"A second run" ranks masks by another training of the same mask, plans by the other run of the same method. Every predictor is fitted for
each kind of question by itself (`predictors.OriginsPredictor`).
Usage: NAS_DATA_DIR=DATA python -m benchmarks.predictors.predictor_learned_masks [SECTION ...] [--methods NAME ...] [--print]
"""

import argparse
import json
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.support.corpus_graphs import corpus_graphs, dense_graphs
from benchmarks.support.places import CORPUS, RESULTS
from nas import Corpus
from nas.corpus.examples import LabelledGraphs, examples
from predictors import Origin, OriginsPredictor, Prediction, StructureGraph, attainable_tau, create, kendall_inside
from predictors.features.matrix import SUMMARY_FEATURES, summaries

STORED = RESULTS / "predictor_learned_masks.json"
SECTIONS = ("masks", "before", "task")
HELD = ("gumbel", "rigl")
"""Methods of which no predictor sees a mask: one that finds masks in a trained network, one that does so while training."""
FOLDS = 5
BASELINES: dict[str, tuple[str, ...]] = {
    "method and budget alone": (),
    "live connections": ("log_effective_nnz",),
    "parameters": ("log_params",),
    "layer densities": tuple(
        name for name in SUMMARY_FEATURES if name.startswith("layer") and name.endswith("_density")
    ),
    "relevance of the inputs": ("relevance_edges", "relevance_paths", "relevance_read", "log_effective_nnz"),
}
FEWEST_CHOICES = 8
"""Least number of plans in a cell from which one is chosen."""
TOLD = tuple(name for name in SUMMARY_FEATURES if name.startswith(("origin_", "task_")))
PREDICTORS = ("linear", "forest", "gp", "quick", "ensemble")

Predict = Callable[[Sequence[StructureGraph]], Prediction]


def main() -> None:
    """Compute missing rows, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="predictors or baselines, instead of all")
    parser.add_argument("--workers", type=int, default=1, help="processes that encode")
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored tables")
    parser.add_argument("--out", type=Path, default=STORED)
    args = parser.parse_args()
    sections = args.sections or SECTIONS
    unknown = set(sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {sorted(unknown)[0]!r}; there are {', '.join(SECTIONS)}")
    store = json.loads(args.out.read_text()) if args.out.exists() else {}
    if not args.print:
        compute(store, sections, args.methods or (*BASELINES, *PREDICTORS), args)
    for section in sections:
        show(section, store.get("rows", {}).get(section, {}))


def compute(store: dict[str, Any], sections: Sequence[str], methods: Sequence[str], args: argparse.Namespace) -> None:
    """Add the missing rows; those of another state of the corpus are computed anew."""
    corpus = Corpus.read(CORPUS)
    if store.get("networks") != len(corpus):
        store.clear()
        store |= {"question": (__doc__ or "").splitlines()[0], "networks": len(corpus), "held": list(HELD), "rows": {}}
    print(f"{len(corpus):,} networks", flush=True)
    judge = Judge(corpus, corpus_graphs(corpus, args.workers), dense_graphs(corpus, args.workers))
    for section in sections:
        rows = store["rows"].setdefault(section, {})
        for name in methods:
            if name not in rows:
                begin = time.perf_counter()
                rows[name] = judge.rows(section, name)
                _write(args.out, store)
                print(f"{section}/{name}: {time.perf_counter() - begin:.0f} s", flush=True)
        rows["a second run"] = judge.ceiling(section)
        _write(args.out, store)


def _write(path: Path, store: dict[str, Any]) -> None:
    """Write to a temporary file and rename it, since a run may be killed at any moment."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(store, indent=1) + "\n")
    temporary.replace(path)


class Judge:
    """The corpus with its graphs, and the divisions."""

    def __init__(self, corpus: Corpus, graphs: Sequence[StructureGraph], dense: dict[str, StructureGraph]) -> None:
        """`dense` are the dense networks by their architecture."""
        self.corpus, self.graphs, self.dense = corpus, graphs, dense
        self.learned = np.array([one.learned is not None for one in corpus.networks])
        self.method = np.array([one.recipe for one in corpus.networks])
        self.domain = np.array([one.domain for one in corpus.networks])
        self.task = np.array([corpus.domains[one.domain].task for one in corpus.networks])
        self.fold = np.array([_fold(one.candidate.architecture) for one in corpus.networks])

    def rows(self, section: str, name: str) -> list[dict[str, Any]]:
        """One row for every domain and kind of question."""
        return self._before(name) if section == "before" else self._masks(name, by_task=section == "task")

    def _divisions(self, by_task: bool) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows to fit on and rows to judge: architectures or tasks are left out in turn, the held methods always."""
        parts = [self.task == task for task in np.unique(self.task[self.learned])]
        parts = parts if by_task else [self.fold == fold for fold in range(FOLDS)]
        held = self._held()
        return [(np.flatnonzero(~part & ~held), np.flatnonzero(part & self.learned)) for part in parts]

    def _held(self) -> NDArray[np.bool_]:
        """Masks of the held methods, and children with such a parent."""
        own = {one.structure for one in self.corpus.networks if one.learned is not None and one.recipe in HELD}
        return np.array(
            [
                one.learned is not None and (one.recipe in HELD or not own.isdisjoint(one.learned.parents))
                for one in self.corpus.networks
            ]
        )

    def _masks(self, name: str, *, by_task: bool) -> list[dict[str, Any]]:
        kinds = (
            [("fresh", True), ("own", True)]
            if by_task
            else [(w, told) for w in ("fresh", "own") for told in (True, False)]
        )
        said: dict[tuple[str, bool], list[tuple[NDArray[np.int64], Prediction]]] = {kind: [] for kind in kinds}
        for fitted, judged in self._divisions(by_task):
            if not len(judged):
                continue
            predict = self._fit(name, examples(self.corpus, self.graphs, rows=fitted))
            for weights, told in kinds:
                asked = [self._asked(row, weights, told) for row in judged.tolist()]
                said[weights, told].append((judged, predict(asked)))
        found = []
        for (weights, told), parts in said.items():
            rows, prediction = np.concatenate([rows for rows, _ in parts]), _joined([one for _, one in parts])
            truth = self.corpus.accuracies if weights == "fresh" else self.corpus.own_accuracies
            cells = np.array([f"{self.domain[row]}/{self.corpus.networks[row].candidate.digest}" for row in rows])
            held = np.isin(self.method[rows], HELD)
            for domain in np.unique(self.domain[rows]):
                some = self.domain[rows] == domain
                figures = _figures(truth[rows], prediction, cells, some)
                figures |= {
                    f"held {key}": value for key, value in _figures(truth[rows], prediction, cells, some & held).items()
                }
                found.append({"domain": str(domain), "weights": weights, "told": told, **figures})
        return found

    def _asked(self, row: int, weights: str, told: bool) -> StructureGraph:
        origin = Origin(method=str(self.method[row]) if told else None, weights="own" if weights == "own" else "fresh")
        return self.graphs[row].on(self.corpus.examples[self.corpus.networks[row].domain].description).of_origin(origin)

    def _before(self, name: str) -> list[dict[str, Any]]:
        parts: list[tuple[LabelledGraphs, Prediction]] = []
        for fitted, judged in self._divisions(by_task=False):
            plans = _plans(examples(self.corpus, self.graphs, self.dense, rows=judged))
            if plans.graphs:
                told = _plans(examples(self.corpus, self.graphs, self.dense, rows=fitted))
                parts.append((plans, self._fit(name, told)(plans.graphs)))
        rows = np.concatenate([plans.rows for plans, _ in parts])
        truth = np.concatenate([plans.accuracies for plans, _ in parts])
        prediction = _joined([one for _, one in parts])
        cells, held = self._plan_cells(rows), np.isin(self.method[rows], HELD)
        found = []
        for domain in np.unique(self.domain[rows]):
            some = (self.domain[rows] == domain) & ~held
            figures = _figures(truth, prediction, cells, some)
            figures |= self._choices(rows[some], truth[some], prediction.mean[some])
            figures |= {
                f"held {key}": value
                for key, value in _figures(truth, prediction, cells, (self.domain[rows] == domain) & held).items()
            }
            found.append({"domain": str(domain), **figures})
        return found

    def _plan_cells(self, rows: NDArray[np.int64]) -> NDArray[np.str_]:
        """Domain and number of weights to keep."""
        return np.array([f"{self.domain[row]}/{self._keep(row)}" for row in rows.tolist()])

    def _choices(
        self, rows: NDArray[np.int64], truth: NDArray[np.float64], said: NDArray[np.float64]
    ) -> dict[str, float]:
        """τ among architectures under one method, and the mean loss of the plan that is ranked first, in points."""
        cells = self._plan_cells(rows)
        under = [f"{cell}/{method}" for cell, method in zip(cells, self.method[rows], strict=True)]
        losses = [
            truth[own].max() - truth[own][said[own].argmax()]
            for own in (np.flatnonzero(cells == cell) for cell in np.unique(cells))
            if len(own) >= FEWEST_CHOICES
        ]
        regret = 100 * float(np.mean(losses)) if losses else float("nan")
        return {"tau_method": kendall_inside(truth, said, under), "regret": regret, "choices": len(losses)}

    def _keep(self, row: int) -> int:
        network = self.corpus.networks[row]
        assert network.learned is not None
        return round(network.learned.density * network.weights)

    def _fit(self, name: str, told: LabelledGraphs) -> Predict:
        if name not in BASELINES:
            fresh = OriginsPredictor(lambda _: create(name))
            return fresh.fit(list(told.graphs), told.accuracies, seed=0).predict
        columns = [SUMMARY_FEATURES.index(feature) for feature in (*BASELINES[name], *TOLD)]
        line = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13)))
        line.fit(summaries(told.graphs)[:, columns], told.accuracies)
        spread = float(np.std(line.predict(summaries(told.graphs)[:, columns]) - told.accuracies))

        def predict(graphs: Sequence[StructureGraph]) -> Prediction:
            mean = np.clip(line.predict(summaries(graphs)[:, columns]), 0.0, 1.0)
            return Prediction(mean, np.full(len(mean), spread))

        return predict

    def ceiling(self, section: str) -> list[dict[str, Any]]:
        """τ of two trainings: of the same mask from fresh weights, or of two runs of a method on one architecture.

        ``attainable`` is the τ that a perfect predictor would reach against the mean that predictors are judged by.
        """
        found = []
        for domain in np.unique(self.domain[self.learned]):
            rows = np.flatnonzero((self.domain == domain) & self.learned)
            if section == "before":
                pairs = [pair for pair in self._runs(rows) if self.method[pair[0]] not in HELD]
                first, second = (self.corpus.own_accuracies[[pair[place] for pair in pairs]] for place in (0, 1))
                firsts, trainings = np.array([pair[0] for pair in pairs]), 2.0
                cells: Sequence[str] = self._plan_cells(firsts).tolist()
                more = self._choices(firsts, (first + second) / 2, first)
            else:
                rows = np.array([row for row in rows if len(self.corpus.trainings[row]) > 1])
                first, second = (np.array([self.corpus.trainings[row][place] for row in rows]) for place in (0, 1))
                trainings = 1 / float(np.mean([1 / len(self.corpus.trainings[row]) for row in rows]))
                cells, more = [self.corpus.networks[row].candidate.digest for row in rows], {}
            tau = kendall_inside(first, second, cells)
            found.append(
                {
                    "domain": str(domain),
                    "weights": "fresh",
                    "n": len(first),
                    "tau": tau,
                    "attainable": attainable_tau(tau, trainings),
                    **more,
                }
            )
        return found

    def _runs(self, rows: NDArray[np.int64]) -> list[list[int]]:
        runs: dict[tuple[str, str], list[int]] = {}
        for row in rows.tolist():
            learned = self.corpus.networks[row].learned
            if learned is not None and learned.origin == "learned":
                runs.setdefault((self.corpus.networks[row].candidate.digest, learned.method), []).append(row)
        return [own for own in runs.values() if len(own) == 2]


def _fold(architecture: Any) -> int:
    """The fold of an architecture, the same in all domains."""
    return zlib.crc32(json.dumps(dict(architecture), sort_keys=True, default=str).encode()) % FOLDS


def _plans(found: LabelledGraphs) -> LabelledGraphs:
    places = [place for place, graph in enumerate(found.graphs) if graph.origin is not None and graph.origin.nnz]
    graphs = tuple(found.graphs[place] for place in places)
    return LabelledGraphs(graphs=graphs, accuracies=found.accuracies[places], rows=found.rows[places])


def _joined(parts: Sequence[Prediction]) -> Prediction:
    names = ("mean", "std", "low", "high", "distance")
    return Prediction(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _figures(
    truth: NDArray[np.float64], said: Prediction, cells: NDArray[np.str_], some: NDArray[np.bool_]
) -> dict[str, Any]:
    """Bias and error in points, coverage, share outside, and τ inside the cells."""
    if not some.any():
        return {"n": 0}
    error = said.mean[some] - truth[some]
    inside = (said.low[some] <= truth[some]) & (truth[some] <= said.high[some])
    return {
        "n": int(some.sum()),
        "bias": 100 * float(error.mean()),
        "error": 100 * float(np.abs(error).mean()),
        "holds": float(inside.mean()),
        "outside": float(said.outside[some].mean()),
        "tau": kendall_inside(truth[some], said.mean[some], cells[some].tolist()),
    }


def show(section: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Print the table of a section."""
    table = Table(title=section)
    for head in (
        "method",
        "domain",
        "weights",
        "told",
        "n",
        "bias",
        "error",
        "holds",
        "outside",
        "τ cell",
        "attainable",
        "τ method",
        "regret",
        "held bias",
        "held holds",
        "held τ",
    ):
        table.add_column(head, justify="left" if head in ("method", "domain", "weights", "told") else "right")
    for name, own in rows.items():
        for row in own:
            cells = [
                name,
                row["domain"],
                str(row.get("weights", "own")),
                {True: "yes", False: "no"}.get(row.get("told", True), ""),
            ]
            cells += [
                str(row["n"]),
                *(_number(row.get(key), digits) for key, digits in (("bias", 1), ("error", 1), ("holds", 2))),
            ]
            cells += [_number(row.get(key), 3 if key == "tau" else 2) for key in ("outside", "tau")]
            cells += [_number(row.get(key), 3) for key in ("attainable", "tau_method")]
            cells += [_number(row.get(key), 1) for key in ("regret", "held bias")]
            table.add_row(*cells, _number(row.get("held holds"), 2), _number(row.get("held tau"), 3))
    Console().print(table)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None or value != value else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
