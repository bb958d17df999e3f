"""The executor that a configuration names."""

from nas.engine.executors.executor import Executor
from nas.engine.executors.local import LocalExecutor
from nas.engine.executors.processes import ProcessExecutor
from nas.engine.executors.ray_cluster import RayExecutor
from nas.study.config import SearchConfig
from nas.tasks.task import Task


def executor_of(config: SearchConfig, task: Task) -> Executor:
    """The executor of a search; its workers start with the first stacks. `UsageError` if Ray is wanted and not installed."""
    if config.executor == "processes":
        return ProcessExecutor(task, workers=config.workers, memory=config.worker_memory)
    if config.executor == "ray":
        return RayExecutor(task, address=config.address)
    return LocalExecutor(task)
