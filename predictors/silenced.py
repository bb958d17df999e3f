"""Warnings of other libraries that say nothing to our callers."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_LOCK = RLock()
"""Filters of warnings belong to the process: two threads that set and restore them in turn would leave the wrong ones behind."""


@contextmanager
def silenced(category: type[Warning]) -> Iterator[None]:
    """Inside, warnings of this category are dropped; at the end the filters are those from before."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield
