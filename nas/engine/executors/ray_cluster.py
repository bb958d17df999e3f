"""Trainings as tasks of a Ray cluster; retries, placement and GPUs are Ray's."""

from collections.abc import Sequence
from typing import Any

from nas.engine.executors.executor import ATTEMPTS
from nas.engine.executors.stack import Result, SentStack, Stack
from nas.errors import RunError, UsageError
from nas.tasks.task import Task


class RayExecutor:
    """Runs stacks as Ray tasks, one CPU core each, on CUDA devices one GPU each."""

    def __init__(self, task: Task, *, address: str | None = None) -> None:
        """Nothing starts yet.

        Args:
            task: the data, put into the cluster once.
            address: address of a cluster, as `ray.init` takes it; None: a cluster of this machine, which ends with the search.

        Raises:
            UsageError: Ray is not installed.
        """
        try:
            import ray
        except ImportError:
            raise UsageError("the executor ray needs Ray: pip install 'nas-sparse[ray]'") from None
        self._ray: Any = ray
        self._task, self._address = task, address
        self._stored: Any = None
        self._own = False

    def run(self, stacks: Sequence[Stack]) -> list[list[Result]]:
        """The results of each stack; Ray begins a task whose worker died again."""
        import torch

        self._begin()
        ray = self._ray
        threads = torch.get_num_threads()
        gpus = 1 if any(stack.device.startswith("cuda") for stack in stacks) else 0
        train = ray.remote(
            num_cpus=1,
            num_gpus=gpus,
            max_retries=ATTEMPTS,
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(threads)}},
        )(_run)
        try:
            return list(ray.get([train.remote(SentStack.of(stack), self._stored, threads) for stack in stacks]))
        except ray.exceptions.WorkerCrashedError as error:
            raise RunError(f"workers died {ATTEMPTS} times; the search can be resumed ({error})") from error

    def _begin(self) -> None:
        """Connect to the cluster, or start one, and store the data there."""
        if self._stored is None:
            if not self._ray.is_initialized():
                self._own = True
                try:
                    self._ray.init(address=self._address, include_dashboard=False, log_to_driver=False)
                except ConnectionError as error:
                    raise RunError(f"no Ray cluster answers at {self._address}: {error}") from error
            self._stored = self._ray.put(self._task)

    def close(self) -> None:
        """Leave the cluster, and end it if it was started for this search."""
        if self._own:
            self._ray.shutdown()
            self._own, self._stored = False, None


def _run(stack: SentStack, task: Task, threads: int) -> list[Result]:
    """In a worker: run a stack with as many threads as the driver has, so that its results are the same to the last bit."""
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return stack.run(task)
