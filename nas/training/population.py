"""Many small networks trained as one stacked batch, each as if it were alone."""

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event

import onnx_ir as ir
import torch

from nas.errors import UsageError
from nas.tasks.task import Task
from nas.training.device import arithmetic, compute_on_one_thread, threads_for, torch_device
from nas.training.inputs import all_without_normalisation, with_any_batch
from nas.training.loop.history import History
from nas.training.loop.session import Session
from nas.training.methods.method import Method, begin
from nas.training.methods.registry import create
from nas.training.options import DEFAULTS, TrainingOptions, TrainingResult
from nas.training.single import result_of
from nas.training.stack.stack import Member
from nas.training.task_fit import check_fit

LARGEST = 32
"""Largest number of networks in a stack."""
WORK = 250_000_000
"""Most multiply-accumulates of one step of a stack: above this, a step is bound by arithmetic and memory, not by overhead."""
OVERHEAD = 1_500_000
"""Fixed cost of a step, in multiply-accumulates."""
PARTS = 2
"""A population is divided into at least this many parts, if each keeps `SMALLEST` networks, so that all processors have work."""
SMALLEST = 8

Stacked = list[int]
"""Positions of the networks of one stack in the population."""


def train_population(
    models: Sequence[ir.Model],
    task: Task,
    options: TrainingOptions = DEFAULTS,
    *,
    seeds: Sequence[int],
    method: Method | str = "static",
    density: float | Sequence[float] | None = None,
    device: str = "cpu",
) -> list[TrainingResult | Exception]:
    """Train `models[i]` with `seeds[i]`; equal to `train` one by one within float tolerance.

    `method` and `density` are those of `train`; each network may have its own density.

    Any mix of networks is accepted: networks of one graph shape are stacked (see `graph_shape`), others are trained alone. The same
    list gives the same stacks and, on CPU, the same weights bit by bit. Stacks run side by side on the CPU threads there are.
    A method that cannot be stacked (`Method.stacks`) trains its networks one by one.

    Returns:
        One result for each model, or the `TrainingError` of a network that diverged.
    """
    started = time.perf_counter()
    if len(models) != len(seeds):
        raise UsageError(f"{len(models)} models need as many seeds, got {len(seeds)}")
    densities = list(density) if isinstance(density, Sequence) else [density] * len(models)
    if len(densities) != len(models):
        raise UsageError(f"{len(models)} models need as many densities, got {len(densities)}")
    where = torch_device(device)
    models, task = all_without_normalisation(models, task)
    for model in models:
        check_fit(model, task)
    models = [with_any_batch(model) for model in models]
    method = create(method) if isinstance(method, str) else method
    begun = [
        begin(method, model, share, seed, options) for model, share, seed in zip(models, densities, seeds, strict=True)
    ]
    members = [Member.of(model, seed) for (model, _), seed in zip(begun, seeds, strict=True)]
    parts = stacks(members, options.batch_size) if method.stacks else [[index] for index in range(len(members))]
    job = Job(members, [keep for _, keep in begun], method, task, options, where)
    histories, spent = _run(job, parts)
    took, total = time.perf_counter() - started, sum(spent)
    return [
        history.error or result_of(history, model, task, took * own / total)
        for history, model, own in zip(histories, models, spent, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Job:
    """A population to train: networks, the number of non-zeros that each keeps, and the options."""

    members: Sequence[Member]
    keep: Sequence[int]
    method: Method
    task: Task
    options: TrainingOptions
    device: torch.device

    def train(self, part: Stacked, stop: Event) -> tuple[list[History], float]:
        """Train the networks at these positions as one stack; their histories, and the seconds that it took."""
        start = time.perf_counter()
        session = Session(
            [self.members[index] for index in part],
            self.task,
            self.options,
            self.device,
            keep=[self.keep[index] for index in part],
            stop=stop,
        )
        self.method.run(session)
        histories = session.finish()
        return histories, time.perf_counter() - start


def stacks(members: Sequence[Member], batch_size: int) -> list[Stacked]:
    """Divide a population into stacks: by graph shape, then by size for little padding; the most work comes first."""
    groups: dict[Hashable, Stacked] = {}
    for index, member in enumerate(members):
        groups.setdefault(member.shape.key, []).append(index)
    work = [member.shape.cost * batch_size for member in members]
    parts = [
        part for group in groups.values() for part in _within_limits(sorted(group, key=lambda i: (work[i], i)), work)
    ]
    while len(parts) < PARTS and max(map(len, parts), default=0) >= 2 * SMALLEST:
        widest = max((part for part in parts if len(part) >= 2 * SMALLEST), key=lambda part: _work(part, work))
        parts.remove(widest)
        parts += _halves(widest, work, SMALLEST)
    return sorted(parts, key=lambda part: (-_work(part, work), part))


def _within_limits(part: Stacked, work: Sequence[int]) -> list[Stacked]:
    """Halve a group, sorted by work, until each part is small enough."""
    if len(part) == 1 or (len(part) <= LARGEST and _work(part, work) <= WORK + OVERHEAD):
        return [part]
    return [small for half in _halves(part, work, 1) for small in _within_limits(half, work)]


def _halves(part: Stacked, work: Sequence[int], smallest: int) -> list[Stacked]:
    """Divide a sorted group so that the larger of both works is least."""
    cuts = range(smallest, len(part) - smallest + 1)
    cut = min(cuts, key=lambda at: max(_work(part[:at], work), _work(part[at:], work)))
    return [part[:cut], part[cut:]]


def _work(part: Stacked, work: Sequence[int]) -> int:
    """Work of one step: all networks are padded to the largest, which comes last."""
    return OVERHEAD + len(part) * work[part[-1]]


def _run(job: Job, parts: Sequence[Stacked]) -> tuple[list[History], list[float]]:
    """Train all stacks, on the CPU side by side, one thread each; a single stack may use all threads.

    Returns the history of each network, and its share of the seconds of its stack.
    """
    loops = [partial(job.train, part) for part in parts]
    workers = min(torch.get_num_threads(), len(parts)) if job.device.type == "cpu" else 1
    if workers > 1:
        with arithmetic(job.device, 1):
            found = _side_by_side(loops, workers)
    else:
        work = max((member.shape.cost * job.options.batch_size for member in job.members), default=0)
        with arithmetic(job.device, threads_for(work)):
            found = [loop(Event()) for loop in loops]
    histories: dict[int, History] = {}
    seconds: dict[int, float] = {}
    for part, (results, took) in zip(parts, found, strict=True):
        histories.update(zip(part, results, strict=True))
        seconds.update(dict.fromkeys(part, took / len(part)))
    order = range(len(job.members))
    return [histories[index] for index in order], [seconds[index] for index in order]


def _side_by_side(
    loops: Sequence[Callable[[Event], tuple[list[History], float]]], workers: int
) -> list[tuple[list[History], float]]:
    """Run on threads; an interrupt ends all of them after their epoch."""
    stop = Event()
    with ThreadPoolExecutor(workers, initializer=compute_on_one_thread) as pool:
        try:
            return list(pool.map(lambda loop: loop(stop), loops))
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
