"""A setting of the whole process that several threads want for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock


class SharedSetting:
    """Made by the first that enters, undone by the last that leaves: threads may be inside together, and again."""

    def __init__(self, begin: Callable[[], Callable[[], object]]) -> None:
        """`begin` makes the setting and returns what undoes it."""
        self._begin = begin
        self._lock = Lock()
        self._inside = 0
        self._undo: Callable[[], object] = lambda: None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, the setting is made."""
        with self._lock:
            if not self._inside:
                self._undo = self._begin()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._undo()
