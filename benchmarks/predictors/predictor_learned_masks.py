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
of the held methods alone. "A second run" ranks masks by another training of the same mask, plans by the other run of the same method.
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
from predictors import Origin, Prediction, StructureGraph, create, kendall_inside
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
TOLD = tuple(name for name in SUMMARY_FEATURES if name.startswith(("origin_", "task_")))
PREDICTORS = ("linear", "forest", "quick")

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
                told = examples(self.corpus, self.graphs, self.dense, rows=fitted)
                parts.append((plans, self._fit(name, told)(plans.graphs)))
        rows = np.concatenate([plans.rows for plans, _ in parts])
        truth = np.concatenate([plans.accuracies for plans, _ in parts])
        prediction = _joined([one for _, one in parts])
        keep = [self._keep(row) for row in rows.tolist()]
        cells = np.array([f"{self.domain[row]}/{count}" for row, count in zip(rows, keep, strict=True)])
        found = []
        for domain in np.unique(self.domain[rows]):
            some = self.domain[rows] == domain
            found.append({"domain": str(domain), **_figures(truth, prediction, cells, some)})
        return found

    def _keep(self, row: int) -> int:
        network = self.corpus.networks[row]
        assert network.learned is not None
        return round(network.learned.density * network.weights)

    def _fit(self, name: str, told: LabelledGraphs) -> Predict:
        if name not in BASELINES:
            return create(name).fit(list(told.graphs), told.accuracies, seed=0).predict
        columns = [SUMMARY_FEATURES.index(feature) for feature in (*BASELINES[name], *TOLD)]
        line = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13)))
        line.fit(summaries(told.graphs)[:, columns], told.accuracies)
        spread = float(np.std(line.predict(summaries(told.graphs)[:, columns]) - told.accuracies))

        def predict(graphs: Sequence[StructureGraph]) -> Prediction:
            mean = np.clip(line.predict(summaries(graphs)[:, columns]), 0.0, 1.0)
            return Prediction(mean, np.full(len(mean), spread))

        return predict

    def ceiling(self, section: str) -> list[dict[str, Any]]:
        """τ of two trainings: of the same mask from fresh weights, or of two runs of a method on one architecture."""
        found = []
        for domain in np.unique(self.domain[self.learned]):
            rows = np.flatnonzero((self.domain == domain) & self.learned)
            if section == "before":
                pairs = self._runs(rows)
                first, second = (self.corpus.own_accuracies[[pair[place] for pair in pairs]] for place in (0, 1))
                cells = [self._keep(pair[0]) for pair in pairs]
            else:
                rows = np.array([row for row in rows if len(self.corpus.trainings[row]) > 1])
                first, second = (np.array([self.corpus.trainings[row][place] for row in rows]) for place in (0, 1))
                cells = [self.corpus.networks[row].candidate.digest for row in rows]
            found.append(
                {
                    "domain": str(domain),
                    "weights": "fresh",
                    "n": len(first),
                    "tau": kendall_inside(first, second, cells),
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
        "held bias",
        "held holds",
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
            table.add_row(*cells, _number(row.get("held bias"), 1), _number(row.get("held holds"), 2))
    Console().print(table)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None or value != value else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
