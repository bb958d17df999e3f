"""Trainings in this process, one stack after another."""

from collections.abc import Sequence

from nas.engine.executors.stack import Result, Stack
from nas.tasks.task import Task


class LocalExecutor:
    """Runs stacks in this process."""

    def __init__(self, task: Task) -> None:
        """The data of the trainings."""
        self._task = task

    def run(self, stacks: Sequence[Stack]) -> list[list[Result]]:
        """The results of each stack."""
        return [stack.run(self._task) for stack in stacks]

    def close(self) -> None:
        """There are no workers."""
