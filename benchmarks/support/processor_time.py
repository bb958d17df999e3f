"""How much processor time a call takes."""

import time
from collections.abc import Callable

import numpy as np


def times(work: Callable[[], object], repeats: int) -> list[float]:
    """The processor time of each of `repeats` calls, ms."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(1000 * (time.process_time() - start))
    return found


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """The median processor time of `repeats` calls, ms."""
    return float(np.median(times(work, repeats)))
