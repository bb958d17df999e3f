"""How well does structure rank the masked networks of the corpus inside (domain, density band) cells, against baselines and noise?

Sections, each resumable (a finished row is not computed again; --redo starts from the beginning):
  random   every domain: fitted on some of its networks, judged on all others
  recipe   every domain: judged on one mask pattern, fitted on networks of the other patterns
  density  every domain: judged on one density band, fitted on networks of the other bands
  task     all domains: judged on one task, fitted on networks of the other tasks; the descriptions distinguish the tasks
  warm     every domain: as random, with a predictor fitted on 1,000 networks of the other domains as another member, or alone
τ is Kendall's τ inside cells, weighted by pairs. "Attainable" is the τ of a perfect predictor, which is limited by the noise of the
trainings; coverage is the share of networks in the stated 90 % interval. Nothing is chosen on judged networks.
Usage: python -m benchmarks.predictors.predictor_corpus [SECTION ...] [--domains NAME ...] [--methods NAME ...] [--print] [--redo] [--quick]
Networks are encoded once, by --workers processes.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.support import encoding_cache
from benchmarks.support.corpus_graphs import corpus_graphs, domains_of, drawn_corpus
from benchmarks.support.places import RESULTS
from nas import Corpus
from nas.corpus import splits
from nas.corpus.ceiling import ceiling
from nas.corpus.splits import Division
from predictors import EnsemblePredictor, Predictor, StructureGraph, create
from predictors.calibration import ranking
from predictors.calibration.target import to_target
from predictors.features.graph_features import GRAPH_FEATURES
from predictors.features.matrix import summary_column

STORED = RESULTS / "predictor_corpus.json"
SEEDS: Mapping[str, Mapping[int, int]] = {
    "random": {30: 3, 100: 5, 500: 3},
    "recipe": {100: 1},
    "density": {100: 1},
    "task": {1000: 1},
    "warm": {30: 2, 100: 2},
}
"""Number of seeds, by section and number of labels; sections that leave out one part in turn make many divisions per seed."""
OTHER_SEEDS = 3
"""Number of seeds for all other numbers of labels."""
SOURCE = 1000
"""Number of networks of other domains on which a warm start is fitted."""
Floats = NDArray[np.float64]
Fit = Callable[[list[StructureGraph], Floats, int], Callable[[list[StructureGraph]], dict[str, Any]]]
"""Networks, accuracies, seed → predictions for other networks: scores, and an interval if there is one, by name of the row."""

LAYERS = [name for name in GRAPH_FEATURES if name.startswith("layer")]
BASELINES: Mapping[str, Sequence[str]] = {
    "density": ("density",),
    "layer densities": [name for name in LAYERS if name.endswith("_density")],
    "layer densities and sizes": [name for name in LAYERS if not name.endswith("_log_live")],
    "size, depth, width": ("log_nnz", "log_layers", "log_width_mean", "log_width_min"),
    "effective edges": ("log_effective_nnz",),
    "paths": ("log_paths", "path_fraction", "input_coverage"),
}
STRUCTURE_20 = (
    *("log_nnz", "log_effective_nnz", "density", "effective_share", "log_layers", "log_width_min", "log_width_mean"),
    *("log_live_min", "log_live_mean", "log_paths", "path_fraction", "input_coverage", "output_reach_min"),
    *("output_participation", "output_fan_in_min", "density_min", "density_std", "log_effective_min"),
    *("mask_fan_in_cv_mean", "mask_fan_out_dead_max"),
)
METHODS = (*BASELINES, "forest of 20 features", "scaling law", "linear", "forest", "quick", "ensemble")
WARM_METHODS = ("ensemble", "warm", "the others alone")


def main() -> None:
    """Compute missing rows, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SEEDS))
    parser.add_argument("--domains", nargs="+", help="only these")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="instead of the section's own")
    parser.add_argument("--labels", nargs="+", type=int, help="instead of the section's own")
    parser.add_argument("--workers", type=int, default=1, help="processes that encode")
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored tables")
    parser.add_argument("--redo", action="store_true", help="compute the chosen rows again")
    parser.add_argument("--quick", action="store_true", help="a smoke test: one domain, few networks, one seed")
    args = parser.parse_args()
    args.sections = args.sections or list(SEEDS)
    unknown = set(args.sections) - set(SEEDS)
    if unknown:
        parser.error(f"no section {sorted(unknown)[0]!r}; there are {', '.join(SEEDS)}")
    for section in args.sections:
        strange = set(args.methods or ()) - set(_own_methods(section))
        if strange:
            parser.error(f"section {section} has no method {sorted(strange)[0]!r}: {', '.join(_own_methods(section))}")
    path = STORED.with_name("predictor_corpus_quick.json") if args.quick else STORED
    store = json.loads(path.read_text()) if path.exists() else {"rows": {}}
    if not args.print:
        _compute(store, path, args)
    for section in args.sections:
        _print(store, section)


def _compute(store: dict[str, Any], path: Path, args: argparse.Namespace) -> None:
    corpus = drawn_corpus()
    mark = _fingerprint(corpus)
    if args.quick:
        corpus = corpus.take(list(range(150)))
    if store.get("fingerprint", mark) != mark:
        print("the corpus, its builder or the encoding has changed: all rows are computed anew", flush=True)
        store["rows"] = {}
    print(f"{len(corpus):,} networks", flush=True)
    graphs = corpus_graphs(corpus, args.workers)
    store |= {"question": (__doc__ or "").splitlines()[0], "networks": len(corpus), "fingerprint": mark}
    store["ceilings"] = store.get("ceilings", {}) | {
        name: asdict(ceiling(corpus.of(name).trainings, corpus.of(name).cells)) for name in domains_of(corpus)
    }
    for section, labels, method, domain in _jobs(corpus, args):
        key = f"{section}/{domain}/{labels}/{method}"
        seeds = 1 if args.quick else SEEDS[section].get(labels, OTHER_SEEDS)
        if not args.redo and {row["seed"] for row in store["rows"].get(key, ())} == set(range(seeds)):
            continue
        begin = time.perf_counter()
        rows = _rows(section, corpus, graphs, domain, labels, method, seeds)
        if rows:
            store["rows"] |= {f"{key}{suffix}": found for suffix, found in rows.items()}
            _write(store, path)
            tau = mean(one["tau"] for one in rows[""])
            print(f"{key}: τ {tau:.3f}, {time.perf_counter() - begin:.0f} s", flush=True)


def _jobs(corpus: Corpus, args: argparse.Namespace) -> Iterator[tuple[str, int, str, str]]:
    """Section, labels, method and domain of every requested row."""
    for section in args.sections:
        domains = ["all"] if section == "task" else args.domains or domains_of(corpus)
        for labels in args.labels or SEEDS[section]:
            for method in args.methods or _own_methods(section):
                yield from ((section, labels, method, domain) for domain in domains)


def _own_methods(section: str) -> Sequence[str]:
    return WARM_METHODS if section == "warm" else METHODS


def _write(store: Mapping[str, Any], path: Path) -> None:
    """Write to a temporary file and rename it, since a run may be killed at any moment."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(store, indent=1) + "\n")
    temporary.replace(path)


def _fingerprint(corpus: Corpus) -> str:
    """Digest of networks, accuracies, the code that builds them and the number of the encoding; not of predictors: use --redo."""
    told = [(one.domain, one.structure, *values) for one, values in zip(corpus.networks, corpus.trainings, strict=True)]
    return hashlib.sha256(repr((told, encoding_cache.code_key("search_spaces"))).encode()).hexdigest()[:16]


def _rows(
    section: str,
    corpus: Corpus,
    graphs: Sequence[StructureGraph],
    domain: str,
    labels: int,
    method: str,
    seeds: int,
) -> dict[str, list[dict[str, Any]]]:
    """Measures of every division, for the method and (after a colon) for its members."""
    inside = [row for row, one in enumerate(corpus.networks) if domain in ("all", one.domain)]
    part, own = corpus.take(inside), [graphs[row] for row in inside]
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in range(seeds):
        for division in _divisions(section, part, labels, seed):
            fitted, judged = division.fitted.tolist(), division.judged.tolist()
            measured, cells = part.accuracies[judged], [part.cells[row] for row in judged]
            if np.isnan(ranking.kendall_inside(measured, measured, cells)):  # no cell has two accuracies to rank
                continue
            fit = _warm(method, corpus, graphs, domain, seed) if section == "warm" else _fit(method)
            begin = time.perf_counter()
            predict = fit([own[row] for row in fitted], part.accuracies[fitted], seed)
            seconds = time.perf_counter() - begin
            begin = time.perf_counter()
            said = predict([own[row] for row in judged])
            each = (time.perf_counter() - begin) / len(judged)
            for suffix, one in said.items():
                figures = _figures(measured, one, cells)
                figures |= {
                    "left_out": division.left_out,
                    "seed": seed,
                    "fit_seconds": seconds,
                    "predict_seconds": each,
                }
                found.setdefault(suffix, []).append(figures)
    return found


def _divisions(section: str, corpus: Corpus, labels: int, seed: int) -> Iterator[Division]:
    if section in ("random", "warm"):
        if labels < 0.8 * len(corpus):
            yield splits.random_division(corpus, labels, seed)
        return
    leave = {
        "recipe": splits.leave_recipe_out,
        "density": splits.leave_density_out,
        "task": splits.leave_task_out,
    }[section]
    yield from leave(corpus, labels, seed)


def _figures(measured: Floats, said: Mapping[str, Any], cells: Sequence[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tau": ranking.kendall_inside(measured, said["mean"], cells),
        "tau_all": ranking.kendall(measured, said["mean"]),
        "judged": len(measured),
    }
    if "low" in said:
        found |= {
            "r2": ranking.r2(measured, said["mean"]),
            "rmse": ranking.rmse(measured, said["mean"]),
            "coverage": float(np.mean((measured >= said["low"]) & (measured <= said["high"]))),
            "width": float(np.mean(said["high"] - said["low"])),
            "outside": float(np.mean(said["outside"])),
            "regret_top_5_percent": _regret(measured, said["mean"]),
        }
    return found


def _regret(measured: Floats, said: Floats) -> float:
    """Regret: the accuracy of the best network minus that of the best one in the first twentieth of the ranking."""
    first = np.argsort(-said)[: max(len(said) // 20, 1)]
    return float(measured.max() - measured[first].max())


def _fit(method: str) -> Fit:
    if method in BASELINES:
        return _ridge(BASELINES[method])
    if method == "forest of 20 features":
        return _forest(STRUCTURE_20)
    return _predictor("density" if method == "scaling law" else method)


def _predictor(name: str) -> Fit:
    def fit(graphs: list[StructureGraph], accuracies: Floats, seed: int) -> Callable[..., dict[str, Any]]:
        return _told(create(name).fit(graphs, accuracies, seed=seed))

    return fit


def _told(predictor: Predictor) -> Callable[..., dict[str, Any]]:
    def predict(others: list[StructureGraph]) -> dict[str, Any]:
        said = predictor.predict(others)
        parts = {"": {**vars(said), "outside": said.outside}}
        for member in getattr(predictor, "members", ()):
            parts[f":{member.name}"] = {"mean": member.predict_targets(others).mean}
        return parts

    return predict


def _warm(method: str, corpus: Corpus, graphs: Sequence[StructureGraph], domain: str, seed: int) -> Fit:
    """The ensemble, the ensemble with a source, or the source alone, which is not fitted on the domain."""
    if method == "ensemble":
        return _predictor(method)
    source = _source(corpus, graphs, domain, seed)
    if method != "warm":
        return lambda own, accuracies, seed: _told(source)
    return lambda own, accuracies, seed: _told(EnsemblePredictor(source=source).fit(own, accuracies, seed=seed))


_SOURCES: dict[tuple[str, int], EnsemblePredictor] = {}


def _source(corpus: Corpus, graphs: Sequence[StructureGraph], domain: str, seed: int) -> EnsemblePredictor:
    """A predictor fitted on networks of all other domains."""
    if (domain, seed) not in _SOURCES:
        others = [row for row, one in enumerate(corpus.networks) if one.domain != domain]
        rows = np.sort(np.random.default_rng(seed).permutation(others)[:SOURCE]).tolist()
        own = [graphs[row] for row in rows]
        _SOURCES[domain, seed] = EnsemblePredictor().fit(own, corpus.accuracies[rows], seed=seed)
    return _SOURCES[domain, seed]


def _columns(graphs: Sequence[StructureGraph], names: Sequence[str]) -> Floats:
    return np.stack([summary_column(graphs, name) for name in names], axis=1)


def _ridge(names: Sequence[str]) -> Fit:
    def fit(graphs: list[StructureGraph], accuracies: Floats, seed: int) -> Callable[..., dict[str, Any]]:
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(1e-3, 1e3, 13)))
        model.fit(_columns(graphs, names), to_target(accuracies))
        return lambda others: {"": {"mean": model.predict(_columns(others, names))}}

    return fit


def _forest(names: Sequence[str]) -> Fit:
    def fit(graphs: list[StructureGraph], accuracies: Floats, seed: int) -> Callable[..., dict[str, Any]]:
        from sklearn.ensemble import ExtraTreesRegressor

        model = ExtraTreesRegressor(200, max_features=0.5, random_state=seed)
        model.fit(_columns(graphs, names), to_target(accuracies))
        return lambda others: {"": {"mean": model.predict(_columns(others, names))}}

    return fit


def _print(store: Mapping[str, Any], section: str) -> None:
    keys = [key.split("/") for key in store["rows"] if key.startswith(f"{section}/")]
    for labels in sorted({int(key[2]) for key in keys}):
        domains = list(dict.fromkeys(key[1] for key in keys if int(key[2]) == labels))
        table = Table(title=f"{section}, {labels} labels: τ inside cells, mean ± sd over divisions")
        for head in ("method", *domains, "mean", "coverage", "fit s"):
            table.add_column(head, justify="left" if head == "method" else "right")
        for method in dict.fromkeys(key[3] for key in keys if int(key[2]) == labels):
            found = [store["rows"].get(f"{section}/{domain}/{labels}/{method}", []) for domain in domains]
            whole = [mean(row["tau"] for row in rows) for rows in found if rows]
            covered = [row["coverage"] for rows in found for row in rows if "coverage" in row]
            table.add_row(
                method,
                *(_tau([row["tau"] for row in rows]) for rows in found),
                f"{mean(whole):.3f}" if len(whole) == len(domains) else "",
                f"{mean(covered):.2f}" if covered else "",
                f"{mean(row['fit_seconds'] for rows in found for row in rows):.1f}",
            )
        if section != "task":
            ceilings = [store["ceilings"][domain]["tau"] for domain in domains]
            table.add_row("*attainable*", *(f"{one:.3f}" for one in ceilings), f"{mean(ceilings):.3f}", "", "")
        Console(width=200).print(table)


def _tau(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
