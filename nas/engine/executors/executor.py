"""The interface of an executor."""

from collections.abc import Sequence
from typing import Protocol

from nas.engine.executors.stack import Result, Stack

ATTEMPTS = 5
"""So often is a stack begun whose worker died; then the search ends with an error. It can be resumed."""


class Executor(Protocol):
    """Runs the stacks of a round. The results depend on the stacks alone: not on the executor, its workers or their fate."""

    def run(self, stacks: Sequence[Stack]) -> list[list[Result]]:
        """The results of each stack, in their order. Raises `RunError` if workers die again and again."""

    def close(self) -> None:
        """End all workers. Nothing is run afterwards."""
