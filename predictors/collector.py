"""Python's cyclic garbage collector, at rest while one network is encoded.

Encoding makes tens of thousands of small objects and no cycles to speak of, but every so often that makes the collector walk all
objects of the process: with torch and scikit-learn loaded a quarter of the time that a graph of thousands of nodes takes.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_rest() -> Iterator[None]:
    """No collection meanwhile; what was off before stays off."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
