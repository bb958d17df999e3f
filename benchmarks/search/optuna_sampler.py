"""Does `nas.optuna.PredictorSampler` find better networks than Optuna's own samplers in `study.optimize`?

The objective is a table, NAS-Bench-201 (CIFAR-10, 200 epochs, mean validation accuracy over seeds), so that no network is trained and the
best of all 15,625 codes is known. Regret is what the best network found so far lacks to it, in points. Every sampler gets the same six
categorical parameters, the operations of the cell's edges. The predictor knows nothing of the task beforehand. The predictor `constant`
prefers no network: it shows what the sampler's proposals are worth by themselves.

Usage: python -m benchmarks.search.optuna_sampler [--predictors quick constant] [--seeds 5] [--trials 100] [--quick] [--print]
"""

import argparse
import csv
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

import nas
import predictors
from benchmarks.support import encoding_cache, nasbench_data
from benchmarks.support.places import RESULTS
from search_spaces import Candidate, TrialLike, nasbench201_network
from search_spaces.nasbench.network201 import EDGES, OPERATIONS

CHECKED = (25, 50, 100)
"""Trials after which the regret is noted."""
Answer = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Cells:
    """The space of NAS-Bench-201 cells, whose networks are encoded once for all studies.

    Attributes:
        accuracies: validation accuracy by code, in [0, 1].
        encoded: structure graphs by code.
    """

    accuracies: Mapping[str, float]
    encoded: dict[str, predictors.StructureGraph]

    @classmethod
    def of(cls, data: Path, *, cached: bool) -> "Cells":
        """All codes; with the structure graphs of the distinct networks if `cached`."""
        with gzip.open(data / "nas" / "nb201" / "nb201.csv.gz", "rt", encoding="utf-8") as file:
            accuracies = {row["code"]: float(row["cifar10_val_200ep"]) / 100 for row in csv.DictReader(file)}
        table = nasbench_data.nasbench201_table(data)
        codes = [str(code) for (code,) in table.specs]
        return cls(accuracies, dict(zip(codes, encoding_cache.graphs(table), strict=True)) if cached else {})

    def suggest(self, trial: TrialLike) -> Candidate:
        """The cell whose operations a trial proposes."""
        names = {f"edge_{source}_{target}": OPERATIONS for source, target in EDGES}
        return Candidate(
            space="nasbench201",
            architecture={name: str(trial.suggest_categorical(name, choices)) for name, choices in names.items()},
        )

    def build(self, candidate: Candidate) -> ir.Model:
        """An empty graph with the code as its name: `encode` knows the network."""
        graph = ir.Graph([], [], nodes=[], name=code_of(candidate), opset_imports={"": 17})
        return ir.Model(graph, ir_version=8)

    def encode(self, model: ir.Model) -> predictors.StructureGraph:
        """The structure graph of the network that `build` stands for."""
        code = str(model.graph.name)
        if code not in self.encoded:
            self.encoded[code] = predictors.encode(nasbench201_network(code))
        return self.encoded[code]

    def accuracy(self, trial: optuna.Trial) -> float:
        """The objective."""
        return self.accuracies[code_of(self.suggest(trial))]


def code_of(candidate: Candidate) -> str:
    """One digit for every edge."""
    return "".join(str(OPERATIONS.index(str(name))) for name in candidate.architecture.values())


def samplers(cells: Cells, names: list[str]) -> Iterator[tuple[str, Callable[[int], BaseSampler]]]:
    """Makes a sampler from a seed, by name."""
    yield "random", lambda seed: RandomSampler(seed=seed)
    yield "tpe", lambda seed: TPESampler(seed=seed)
    for name in names:
        yield (
            f"predictor, {name}",
            lambda seed, name=name: nas.optuna.PredictorSampler(cells, predictor=name, encode=cells.encode, seed=seed),
        )


def regrets(cells: Cells, sampler: BaseSampler, trials: int) -> list[float]:
    """Regret in points after every trial of a study."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(cells.accuracy, n_trials=trials)
    best = max(cells.accuracies.values())
    return [100 * (best - value) for value in np.maximum.accumulate([trial.value for trial in study.trials])]


def add(answer: Answer, name: str, cells: Cells, sampler: BaseSampler, trials: int) -> None:
    """Run one study and add its regrets, and the seconds of processor time that a proposal took."""
    start = time.process_time()
    found = regrets(cells, sampler, trials)
    seconds = (time.process_time() - start) / trials
    row = answer["samplers"].setdefault(name, {"regret": {}, "seconds_a_proposal": []})
    row["seconds_a_proposal"].append(round(seconds, 4))
    for count in [count for count in CHECKED if count <= trials] or [trials]:
        row["regret"].setdefault(str(count), []).append(round(found[count - 1], 4))


def show(answer: Answer) -> None:
    """Print the table: mean ± sd over seeds."""
    counts = list(next(iter(answer["samplers"].values()))["regret"])
    done = len(next(iter(answer["samplers"].values()))["seconds_a_proposal"])
    print(f"regret in points, {done} seeds (mean ± sd)")
    print(f"{'sampler':20}" + "".join(f"{count + ' trials':>17}" for count in counts) + f"{'s a proposal':>15}")
    for name, found in answer["samplers"].items():
        cells = [f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}" for values in found["regret"].values()]
        print(f"{name:20}" + "".join(f"{cell:>17}" for cell in cells) + f"{np.mean(found['seconds_a_proposal']):15.3f}")


def main() -> None:
    """Run the studies, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictors", nargs="+", default=["quick", "constant"], help="of the sampler")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="a smoke test: two seeds, 12 trials, gp")
    parser.add_argument("--print", action="store_true", help="only print the stored answer")
    args = parser.parse_args()
    path = RESULTS / f"optuna_sampler{'_quick' if args.quick else ''}.json"
    if args.print:
        show(json.loads(path.read_text()))
        return
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if args.quick:
        args.seeds, args.trials, args.predictors = 2, 12, ["gp"]
    cells = Cells.of(Path(os.environ.get("NAS_DATA_DIR", "data")), cached=not args.quick)
    answer: Answer = {"trials": args.trials, "samplers": {}}
    for seed in range(args.seeds):
        for name, make in samplers(cells, args.predictors):
            add(answer, name, cells, make(seed), args.trials)
        path.write_text(json.dumps(answer, indent=2) + "\n")
    show(answer)


if __name__ == "__main__":
    main()
