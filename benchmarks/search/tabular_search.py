"""How near to the best network of NAS-Bench-201 does a search come within 300 lookups?

Every strategy searches by the CIFAR-10 validation accuracy (200 epochs, mean over seeds) among the 9,445 distinct networks, through the
planner and the table lookup of `nas search --space nasbench201 --table …`. Regret is the accuracy of the best network of the table minus
that of the best network found, in points: in validation accuracy, and in test accuracy of the network that is best on validation.

  random        the strategy ``random``: every network equally likely, none twice
  tpe           Optuna 5's own loop with the sampler of the strategy ``tpe``; a network that is proposed again costs nothing
  evolution     the strategy ``evolution`` without a predictor
  regularised   regularised evolution as published (Real et al. 2019), 50 networks, the best of 10 is mutated
  guided        the strategy ``guided``, as it is

Finished runs are kept; more seeds are added by running it again. The encoded networks come from the cache (the first time: about ten
minutes of processor time); a search without the cache finds the same networks. ``screened`` in the JSON: networks that a search without
the cache encodes, each once.
Usage: NAS_DATA_DIR=DATA python -m benchmarks.search.tabular_search [--seeds 30] [--strategies NAME ...] [--column NAME] [--print]
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import optuna
from rich.console import Console
from rich.table import Table

from benchmarks.support.encoding_cache import Stored
from benchmarks.support.nasbench_data import nasbench201_table
from benchmarks.support.places import RESULTS
from nas.engine.plan import SearchPlan, resolve
from nas.engine.planner import Planner
from nas.engine.pool import Pool, Screened
from nas.engine.recorder import trial_of
from nas.engine.remaining_time import RemainingTime
from nas.engine.surrogate import Surrogate
from nas.engine.table_lookup import TableLookup
from nas.measure.costs import counts
from nas.study.config import SearchConfig
from nas.study.seconds import Seconds
from nas.study.trial import Proposal, Trial
from predictors import StructureGraph
from search_spaces import Candidate, TabularSpace

STORED = RESULTS / "tabular_search.json"
STRATEGIES = ("random", "tpe", "evolution", "regularised", "guided")
COLUMN = "cifar10_val_200ep"
QUERIES = (100, 200, 300)
POPULATION, SAMPLED = 50, 10
"""Networks that are alive, and those among which the parent is the best, of regularised evolution."""


MOST_ASKED = 1000
"""Most proposals of Optuna's sampler; each takes ten milliseconds and more."""


class Regularised:
    """Regularised evolution (Real et al. 2019, arXiv:1802.01548): the oldest network dies, the best of a sample is mutated."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """See `nas.engine.strategies.Strategy.fill`."""
        alive = list(trials[-POPULATION:])
        while len(pool) < count:
            if len(trials) < POPULATION:
                pool.offer(Proposal(candidate=pool.space.sample(rng)))
                continue
            sample = [alive[place] for place in rng.choice(len(alive), SAMPLED, replace=False)]
            parent = max(sample, key=lambda trial: trial.accuracy or 0.0)
            pool.offer(Proposal(candidate=pool.space.mutate(parent.candidate, rng)))


class Known(dict[str, Screened | None]):
    """What a pool would find out about a network, without building it.

    The counts of a network depend only on its convolutions; the structure graph comes from the cache.
    """

    def __init__(self, plan: SearchPlan, graphs: Sequence[StructureGraph] | None, places: dict[str, int]) -> None:
        """`places`: place of every network in `graphs`, by digest; None: the search uses no predictor."""
        assert plan.table is not None
        self._space, self._graphs, self._places = plan.space, graphs, places
        self._candidates = {one.digest: one for one in plan.table.candidates}

    def __missing__(self, digest: str) -> Screened:
        """Made when it is first asked for."""
        candidate = self._candidates[digest]
        graph = None if self._graphs is None else self._graphs[self._places[digest]]
        self[digest] = Screened(Proposal(candidate=candidate), self._counts(candidate), graph)
        found = self[digest]
        assert found is not None
        return found

    def _counts(self, candidate: Candidate) -> dict[str, float]:
        operations = list(candidate.architecture.values())
        key = operations.count("nor_conv_3x3"), operations.count("nor_conv_1x1")
        if key not in _COUNTS:
            _COUNTS[key] = counts(self._space.build(candidate))
        return dict(_COUNTS[key])


_COUNTS: dict[tuple[int, int], dict[str, float]] = {}


def main() -> None:
    """Measure missing runs, write after every run, print the table."""
    args = _arguments()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    stored: dict[str, Any] = json.loads(args.output.read_text()) if args.output.exists() else {"runs": []}
    stored["question"] = (__doc__ or "").splitlines()[0]
    if not args.print:
        _measure(args, stored)
    _show(stored["runs"], args.column)
    print(args.output)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("NAS_DATA_DIR"))
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--column", default=COLUMN, help="for tuning: a column that is not judged by")
    parser.add_argument("--workers", type=int, default=1, help="processes that encode")
    parser.add_argument("--print", action="store_true", help="only print what is stored")
    parser.add_argument("--output", type=Path, default=STORED)
    args = parser.parse_args()
    if not args.print and args.data_dir is None:
        parser.error("no data: give --data-dir or set NAS_DATA_DIR")
    return args


def _measure(args: argparse.Namespace, stored: dict[str, Any]) -> None:
    graphs: Sequence[StructureGraph] | None = None
    places: dict[str, int] = {}
    for strategy in args.strategies:
        plan = _plan(args.data_dir, strategy, args.column)
        if strategy == "guided":
            table = nasbench201_table(args.data_dir)
            assert isinstance(plan.space, TabularSpace)
            places = {one.digest: row for row, one in plan.space.rows({"code": [code for (code,) in table.specs]})}
            graphs = Stored(table, args.workers, _tell)
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            key = {"strategy": strategy, "column": args.column, "seed": seed}
            if any(key.items() <= run.items() for run in stored["runs"]):
                continue
            begin, screened = time.process_time(), 0
            if strategy == "tpe":
                found = _tpe(plan, seed)
            else:
                known = Known(plan, graphs if plan.predictor else None, places)
                found = [trial.candidate for trial in _search(_seeded(plan, seed), known)]
                screened = len(known) if plan.predictor else 0
            seconds = round(time.process_time() - begin, 2)
            run = key | _regrets(plan, found) | {"screened": screened, "seconds": seconds}
            stored["runs"].append(run)
            _write(args.output, stored)
            _tell(f"{strategy:12} seed {seed:3}  {run['validation']}  {run['seconds']:.1f} s")


def _plan(data: Path, strategy: str, column: str) -> SearchPlan:
    """The resolved search; strategies other than the guided one propose one network at a time, without a predictor."""
    named = "random" if strategy == "regularised" else strategy
    config = SearchConfig(
        space="nasbench201",
        table=str(data / "nas" / "nb201" / "nb201.csv.gz"),
        column=column,
        trainings=QUERIES[-1],
        strategy=named,
    )
    if strategy != "guided":
        config = replace(config, predictor="none", round=1)
    plan = resolve(config)
    return replace(plan, strategy=Regularised()) if strategy == "regularised" else plan


def _seeded(plan: SearchPlan, seed: int) -> SearchPlan:
    return replace(plan, config=replace(plan.config, seed=seed))


def _search(plan: SearchPlan, known: Known) -> Iterator[Trial]:
    """The trials of a search, as `nas search` makes them, without files."""
    assert plan.table is not None
    lookup, trials = TableLookup(plan.table, plan.config.seed), list[Trial]()
    planner = Planner(plan, Surrogate(plan, screened=known), RemainingTime(Seconds()))
    round_ = 0
    while len(trials) < plan.config.trainings:
        planned = planner.plan(round_, trials)
        found = lookup.train_round(planned, plan.method)
        trials += [trial_of(planned, place, len(trials) + place, one) for place, one in enumerate(found)]
        round_ += 1
    yield from trials


def _tpe(plan: SearchPlan, seed: int) -> list[Candidate]:
    """The networks that Optuna's sampler looks up; it stops after `MOST_ASKED` proposals if it finds no more new ones."""
    assert plan.table is not None
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    found: dict[str, Candidate] = {}
    for _ in range(MOST_ASKED):
        trial = study.ask()
        candidate = plan.space.suggest(trial)
        found.setdefault(candidate.digest, candidate)
        study.tell(trial, float(plan.table.validation[plan.table.place(candidate)]))
        if len(found) == plan.config.trainings:
            break
    return list(found.values())


def _regrets(plan: SearchPlan, found: Sequence[Candidate]) -> dict[str, Any]:
    """Regrets in points by number of queries, and the query that found the best network (None if none did)."""
    table = plan.table
    assert table is not None
    places = np.array([table.place(candidate) for candidate in found])
    regret: dict[str, list[float]] = {"validation": [], "test": []}
    for count in QUERIES:
        best = places[int(np.argmax(table.validation[places[:count]]))]
        regret["validation"].append(round(100 * float(table.validation.max() - table.validation[best]), 4))
        regret["test"].append(round(100 * float(table.test.max() - table.test[best]), 4))
    hits = np.flatnonzero(table.validation[places] >= table.validation.max())
    return {**regret, "found_at": int(hits[0]) + 1 if len(hits) else None}


def _show(runs: Sequence[dict[str, Any]], column: str) -> None:
    table = Table(title=f"{column}: mean regret ± standard error, points, at {', '.join(map(str, QUERIES))} queries")
    for name in ("strategy", "seeds", "in validation accuracy", "in test accuracy", "best found in 300", "s a search"):
        table.add_column(name, justify="left" if name == "strategy" else "right")
    for strategy in STRATEGIES:
        found = [run for run in runs if run["strategy"] == strategy and run["column"] == column]
        if found:
            hits = mean(run["found_at"] is not None for run in found)
            seconds = mean(run["seconds"] for run in found)
            parts = [
                " / ".join(_cell(found, part, place) for place in range(len(QUERIES)))
                for part in ("validation", "test")
            ]
            table.add_row(strategy, str(len(found)), *parts, f"{hits:.2f}", f"{seconds:.0f}")
    Console(width=160).print(table)


def _cell(runs: Sequence[dict[str, Any]], part: str, place: int) -> str:
    values = [run[part][place] for run in runs]
    error = stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{mean(values):.3f} ± {error:.3f}"


def _write(path: Path, stored: dict[str, Any]) -> None:
    """Write to a temporary file and rename it, since a run may be killed at any moment."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(stored, indent=1) + "\n")
    temporary.replace(path)


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
