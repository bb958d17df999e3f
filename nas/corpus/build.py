"""Builds the corpus shard by shard, in one or more processes; the networks of a shard are trained as populations."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import onnx_graph
from nas.corpus.domain import Domain
from nas.corpus.domain_description import description_file, write_description
from nas.corpus.labelled_network import MeasuredNetwork, structure_of
from nas.corpus.learned import measure_learned
from nas.corpus.shard import Examples, Shard, read_shard, shard_file, write_shard
from nas.corpus.shard_plan import Spaces, candidates, training_seeds
from nas.corpus.trainings import metrics, train_again
from nas.errors import RunError
from nas.tasks.description import describe
from nas.tasks.task import Task
from predictors import TaskDescription


@dataclass(frozen=True, kw_only=True)
class Built:
    """Progress of a build.

    Attributes:
        shards, networks, trainings: numbers that this process and its workers made.
        left: number of shards still to make.
        seconds: time since the build began.
        domain: domain of the last shard.
    """

    shards: int
    networks: int
    trainings: int
    left: int
    seconds: float
    domain: str

    @property
    def seconds_left(self) -> float:
        """Estimated time to the end; shards of other domains may take longer."""
        return self.seconds / max(self.shards, 1) * self.left


def missing(folder: Path, domains: Sequence[Domain]) -> list[tuple[Domain, int]]:
    """Shards that do not exist yet, or hold too few networks because the domain grew.

    The shards of all domains alternate, so that an unfinished corpus is a small corpus of all domains. `RunError` if an
    existing shard was made by another plan.
    """
    found = [
        (number / domain.shards, domain, number)
        for domain in domains
        for number in range(domain.shards)
        if not _is_made(shard_file(folder, domain.name, number), domain, number)
    ]
    return [(domain, number) for _, domain, number in sorted(found, key=lambda one: (one[0], one[1].name))]


def _is_made(path: Path, domain: Domain, number: int) -> bool:
    """Whether a shard exists and is complete. The number of networks of a domain may grow; its other fields may not change."""
    if not path.exists():
        return False
    shard = read_shard(path)
    if not shard.domain.is_part_of(domain):
        raise RunError(f"{path.parent} was made by another plan of domain {domain.name!r}; choose another folder")
    return shard.domain.shard_size(number) >= domain.shard_size(number)


def build(
    folder: Path,
    domains: Sequence[Domain],
    *,
    data_dir: Path | None = None,
    workers: int = 1,
    progress: Callable[[Built], None] = lambda built: None,
) -> None:
    """Make all missing shards. A killed build loses only the unfinished shards; call it again to continue.

    Args:
        folder: folder of the corpus; each domain gets a folder inside it.
        domains: domains to build.
        data_dir: folder of the image data sets.
        workers: number of processes, each with one thread; never more than there are shards to make.
        progress: function that is called after every shard.

    Raises:
        RunError: the folder holds another plan's shards, cannot be written, or a worker died.
        DataError, UsageError: the data of a task is missing.
    """
    left = missing(folder, domains)
    incomplete = {domain.name for domain, _ in left}
    for domain in domains:
        place = description_file(folder, domain.name)
        if domain.name in incomplete or not place.exists():
            task = domain.load(data_dir)  # raises a clear error before anything is trained
            if not place.exists():
                write_description(place, task)
    started = time.perf_counter()
    shards = networks = trainings = 0
    for domain, rows in _made(folder, left, data_dir, workers):
        shards, networks = shards + 1, networks + len(rows)
        trainings += sum(len(row.seeds) for row in rows)
        progress(
            Built(
                shards=shards,
                networks=networks,
                trainings=trainings,
                left=len(left) - shards,
                seconds=time.perf_counter() - started,
                domain=domain.name,
            )
        )


def _made(
    folder: Path, left: Sequence[tuple[Domain, int]], data_dir: Path | None, workers: int
) -> Iterator[tuple[Domain, list[MeasuredNetwork]]]:
    """Yields every shard after it is written."""
    if min(workers, len(left)) < 2:
        for domain, number in left:
            yield domain, make_shard(folder, domain, number, data_dir)
        return
    context = multiprocessing.get_context(
        "spawn"
    )  # a forked process would inherit torch's threads in an unusable state
    pool = ProcessPoolExecutor(min(workers, len(left)), mp_context=context, initializer=_one_thread)
    try:
        futures: dict[Future[list[MeasuredNetwork]], Domain] = {
            pool.submit(make_shard, folder, domain, number, data_dir): domain for domain, number in left
        }
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise RunError("a worker of the corpus died (out of memory?); call it again with fewer --workers") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


_known: dict[tuple[str, str | None, int | None, Path | None], tuple[Task, TaskDescription]] = {}
"""Tasks and their descriptions, cached in this process because its shards alternate between domains."""


def _read(domain: Domain, data_dir: Path | None) -> tuple[Task, TaskDescription]:
    key = (domain.task, domain.target, domain.subset, data_dir)
    if key not in _known:
        task = domain.load(data_dir)
        _known[key] = task, describe(task)
    return _known[key]


def make_shard(folder: Path, domain: Domain, number: int, data_dir: Path | None = None) -> list[MeasuredNetwork]:
    """Train the networks of a shard and write it."""
    task, description = _read(domain, data_dir)
    networks = measure(domain, number, task)
    examples = Examples(
        signature=task.signature,
        description=replace(description, relevance=()),
        validation=len(task.validation),
        test=len(task.test),
        fingerprint=task.fingerprint,
    )
    shard = Shard(domain=domain, number=number, examples=examples, networks=tuple(networks))
    write_shard(shard_file(folder, domain.name, number), shard)
    return networks


def measure(domain: Domain, number: int, task: Task) -> list[MeasuredNetwork]:
    """Draw the networks of a shard, train each with all its seeds, and measure validation and test metric."""
    if domain.methods:
        return measure_learned(domain, number, task)
    spaces = Spaces(domain, task.signature)
    drawn = candidates(domain, number, spaces)
    models = [spaces.whole.build(candidate) for candidate in drawn]
    seeds = [training_seeds(domain, number, position, candidate) for position, candidate in enumerate(drawn)]
    begin = time.perf_counter()
    outcomes = train_again(models, task, domain.training_options, seeds)
    seconds = (time.perf_counter() - begin) / sum(map(len, seeds))
    counts = [onnx_graph.count(model) for model in models]
    return [
        MeasuredNetwork(
            domain=domain.name,
            candidate=candidate,
            structure=structure_of(models[position]),
            seeds=seeds[position],
            **metrics(outcomes[position]),
            nnz=counts[position].nnz,
            weights=counts[position].weights,
            seconds=round(seconds, 4),
        )
        for position, candidate in enumerate(drawn)
    ]
