"""Suppressing warnings of other libraries that do not help our callers."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_LOCK = RLock()
"""Lock for the warning filters, which belong to the process: two threads that set and restore them in turn would leave wrong filters."""


@contextmanager
def silenced(category: type[Warning]) -> Iterator[None]:
    """Inside this context, warnings of this category are dropped; afterwards the old filters are restored."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield
