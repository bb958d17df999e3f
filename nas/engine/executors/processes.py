"""Trainings in processes of this machine, so that several stacks run at once and a crash ends only its worker."""

import logging
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from nas.engine.executors.executor import ATTEMPTS
from nas.engine.executors.stack import Result, SentStack, Stack
from nas.errors import RunError
from nas.process_memory import limit_memory, out_of_memory
from nas.tasks.task import Task

log = logging.getLogger(__name__)

_task: Task | None = None
"""The data, in a worker."""


class ProcessExecutor:
    """Runs stacks in worker processes, which start with the first stacks and stay for all rounds."""

    def __init__(self, task: Task, *, workers: int | None = None, memory: float | None = None) -> None:
        """Nothing starts yet.

        Args:
            task: the data, sent to every worker once.
            workers: number of processes; None: one for each CPU core that this process may use.
            memory: GB that a worker may take beyond what it has at its start; None: no limit.
        """
        self._task, self._workers, self._memory = task, workers or len(os.sched_getaffinity(0)), memory
        self._pool: ProcessPoolExecutor | None = None

    def run(self, stacks: Sequence[Stack]) -> list[list[Result]]:
        """The results of each stack; a stack whose worker died is begun again."""
        sent = [SentStack.of(stack) for stack in stacks]
        found: dict[int, list[Result]] = {}
        for attempt in range(ATTEMPTS):
            left = [place for place in range(len(sent)) if place not in found]
            # A death ends the whole pool: from the second one on, one at a time shows whose fault it is.
            together = [left] if attempt < 2 else [[place] for place in left]
            for places in together:
                self._try({place: sent[place] for place in places}, found)
            if len(found) == len(sent):
                return [found[place] for place in range(len(sent))]
        raise RunError(
            f"processes that train died {ATTEMPTS} times, perhaps for want of memory (--workers, --worker-memory); "
            "the search can be resumed"
        )

    def _try(self, sent: dict[int, SentStack], found: dict[int, list[Result]]) -> None:
        """Run stacks and add the results of those whose workers lived."""
        running: dict[int, Future[list[Result]]] = {}
        try:
            running |= {place: self._started().submit(_run, stack) for place, stack in sent.items()}
            for place, future in running.items():
                found[place] = future.result()
        except BrokenProcessPool:
            log.warning("a process that trains has died; its trainings are done again")
            for place, future in running.items():
                if place not in found and future.done() and future.exception() is None:
                    found[place] = future.result()
            self.close()

    def _started(self) -> ProcessPoolExecutor:
        """The pool; a new one if there is none."""
        if self._pool is None:
            import torch

            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._task, torch.get_num_threads(), self._memory),
            )
        return self._pool

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _begin(task: Task, threads: int, memory: float | None) -> None:
    """Make this process a worker. As many threads as the driver has, so that its results are the same to the last bit."""
    global _task
    import torch

    import nas.training.population  # noqa: F401 - what every stack needs, before the memory is limited

    if torch.get_num_threads() != threads:  # setting the number that is there already changes how products are summed
        torch.set_num_threads(threads)
    if memory is not None:
        limit_memory(round(memory * 2**30))
    _task = task


def _run(stack: SentStack) -> list[Result]:
    """In a worker: run a stack. `RunError` if its memory does not suffice."""
    if _task is None:
        raise RunError("this process is no worker")
    try:
        return stack.run(_task)
    except Exception as error:
        if out_of_memory(error):
            raise RunError("a process that trains has not enough memory (--worker-memory)") from None
        raise
