"""After a search on a subset: how much do further trainings on the whole training split gain, with the same mask?

A plain perceptron is pruned by `espn` on 3,000 images (2,400 of them for training), as a search would do it, with several seeds. Every
network then has 1, 2 or 4 further trainings of as many steps on all training images. Test accuracy; paired by network.
Usage: NAS_DATA_DIR=DATA python -m benchmarks.search.finishing [--print]
"""

import argparse
import json
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import onnx_ir as ir
from rich.console import Console
from rich.table import Table

import nas
from benchmarks.support.places import RESULTS
from nas.conclusion.finishing import further, whole
from nas.engine.guided.references import pruned
from nas.engine.keep import KeepRule
from nas.engine.network_files import NetworkFiles
from nas.engine.plan import resolve
from nas.engine.round_training import Trainer
from nas.study.constraints import on_costs

STORED = RESULTS / "finishing.json"
CELLS = {"fashion-mnist": 400, "mnist": 300}
"""Non-zeros by task."""
SUBSET, SEEDS, FURTHER = 3000, 4, (1, 2, 4)


def main() -> None:
    """Measure, store and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored table")
    if not parser.parse_args().print:
        STORED.write_text(json.dumps({task: measured(task, keep) for task, keep in CELLS.items()}, indent=1) + "\n")
    show(json.loads(STORED.read_text()))


def measured(task: str, keep: int) -> dict[str, Any]:
    """Test accuracies of every network, as it was found and after the further trainings."""
    plan = resolve(nas.SearchConfig(task=task, space="mlp", subset=SUBSET, constraint=(f"nnz<={keep}",)))
    rule = KeepRule(plan.space, on_costs(plan.constraints), lambda model, _: model)
    candidate = next(one for _, one in pruned(plan.space, rule, ("espn",)))
    trainings = Trainer(plan, NetworkFiles(RESULTS)).train([candidate] * SEEDS, list(range(SEEDS)), "static")
    networks = [one.trained() for one in trainings]
    everything = whole(plan)
    assert everything is not None

    def test(models: list[ir.Model]) -> list[float]:
        return [round(nas.evaluate(model, everything, everything.test), 6) for model in models]

    found: dict[str, Any] = {"keep": keep, "found": test(networks), "further": {}}
    for count in FURTHER:
        longer = replace(plan, config=replace(plan.config, finish=count))
        done = further(longer, everything, networks, [one.seed for one in trainings])
        found["further"][str(count)] = test([one[0] for one in done if one is not None])
    return found


def show(found: dict[str, Any]) -> None:
    """Print the gains in points."""
    table = Table(title=f"test accuracy in per cent, mean ± sd of {SEEDS} networks; gain in points ± standard error")
    for head in ("task", "non-zeros", "as found", *(f"{count} further" for count in FURTHER)):
        table.add_column(head, justify="left" if head == "task" else "right")
    for task, row in found.items():
        before = row["found"]
        cells = [f"{100 * mean(before):.2f} ± {100 * stdev(before):.2f}"]
        for after in row["further"].values():
            gains = [100 * (b - a) for a, b in zip(before, after, strict=True)]
            cells.append(f"{100 * mean(after):.2f} ({mean(gains):+.2f} ± {stdev(gains) / len(gains) ** 0.5:.2f})")
        table.add_row(task, str(row["keep"]), *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
