"""How much of a search's time is training, and how much faster is it than training the same candidates one by one?

A guided search on digits with at most 300 non-zeros. Its rounds train their candidates as stacks. Afterwards every candidate of its trials
whose parents are not needed is trained alone with the same seed. Seconds of processor time of the whole process, on one thread, so that
other work on the machine disturbs little. "All but training": fitting, screening and recording, as a share of the search without its
report, by wall time. One thread for linear algebra, as `nas search` has; libraries are loaded before.
Usage: OPENBLAS_NUM_THREADS=1 python -m benchmarks.speed.search_speed [--trainings N] [--print]
"""

import argparse
import importlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import nas
from benchmarks.support.places import RESULTS
from nas.engine.network_files import NetworkFiles
from nas.engine.plan import SearchPlan, resolve
from nas.engine.round_training import Trainer
from search_spaces import Candidate, InheritedMask

STORED = RESULTS / "search_speed.json"


def main() -> None:
    """Measure, store and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=24)
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored table")
    args = parser.parse_args()
    if not args.print:
        STORED.write_text(json.dumps(measured(args.trainings), indent=1) + "\n")
    show(json.loads(STORED.read_text()))


def measured(trainings: int) -> dict[str, Any]:
    """Seconds of a search by kind of work, and of its candidates one by one."""
    importlib.import_module("torch")  # takes about two seconds in any process that trains
    config = nas.SearchConfig(
        task="digits", space="mlp", constraint=("nnz<=300",), trainings=trainings, seed=5, repeats=1
    )
    plan = resolve(config)
    stacked: list[tuple[int, float]] = []
    train = Trainer.train

    def timed(self: Trainer, candidates: Sequence[Candidate], repeats: Sequence[int], method: Any) -> Any:
        start = time.process_time()
        found = train(self, candidates, repeats, method)
        own = sum(not _needs_parents(one) for one in candidates)
        stacked.append((own, (time.process_time() - start) * own / len(candidates)))
        return found

    Trainer.train = timed  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            report = nas.search(config, Path(folder) / "run")
    finally:
        Trainer.train = train  # type: ignore[method-assign]
    trials = [(Candidate.from_json(one["candidate"]), one["repeat"]) for one in report["trials"]]
    trials = [trial for trial in trials if not _needs_parents(trial[0])]
    alone = processor_seconds(lambda: one_by_one(plan, trials))
    several = [(count, seconds) for count, seconds in stacked if count]
    inside = sum(seconds for _, seconds in several[: -1 if len(several) > 1 else None])
    seconds = dict(report["seconds"])
    other = sum(seconds[part] for part in ("fitting", "screening", "recording"))
    return {
        "trainings": trainings,
        "networks": len(trials),
        "stacked_seconds": inside,
        "alone_seconds": alone,
        "ratio": alone / inside,
        "seconds": seconds,
        "all_but_training": other / (other + seconds["training"]),
    }


def _needs_parents(candidate: Candidate) -> bool:
    return isinstance(candidate.mask, InheritedMask)


def one_by_one(plan: SearchPlan, trials: Sequence[tuple[Candidate, int]]) -> None:
    """Train every candidate alone."""
    trainer = Trainer(plan, NetworkFiles(Path("unused")))
    for candidate, repeat in trials:
        trainer.train([candidate], [repeat], plan.method)


def processor_seconds(way: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    way()
    return time.process_time() - start


def show(found: dict[str, Any]) -> None:
    """Print the figures."""
    table = Table(title=f"{found['networks']} networks of a search with {found['trainings']} trainings, seconds")
    for head in ("in the search's stacks", "one by one", "ratio", "all but training, share of the search"):
        table.add_column(head, justify="right")
    table.add_row(
        f"{found['stacked_seconds']:.1f}",
        f"{found['alone_seconds']:.1f}",
        f"{found['ratio']:.2f}",
        f"{found['all_but_training']:.0%}",
    )
    Console().print(table)
    Console().print({part: round(seconds, 1) for part, seconds in found["seconds"].items()})


if __name__ == "__main__":
    main()
