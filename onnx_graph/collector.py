"""Python's cyclic garbage collector, at rest while networks are read and encoded.

That makes tens of thousands of small objects and no cycles to speak of, but every so often the collector walks all objects of
the process: with torch and scikit-learn loaded a quarter of the time that a graph of thousands of nodes takes.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_inside = 0
_ran_before = False


@contextmanager
def at_rest() -> Iterator[None]:
    """No collection meanwhile; what was off before stays off. Threads may be inside together: the last to leave turns it on."""
    global _inside, _ran_before
    with _lock:
        if not _inside:
            _ran_before = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _ran_before:
                gc.enable()
