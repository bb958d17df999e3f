"""Settings of `nas` for its own process: one thread for linear algebra, and a garbage collector that seldom runs.

The library functions never change such settings, because this would also affect the program that calls them.
"""

import gc
import os

SHORT = frozenset({"predict", "inspect", "export", "list", "report"})
"""Commands that end before garbage matters."""
YOUNG = 10_000
"""Number of new objects before a collection; Python's default of 700 is for programs that create fewer objects."""


def claim_process(verb: str | None) -> None:
    """Apply the settings to this process and its child processes. Must be called before numpy is imported.

    With one thread, sums are computed in the same order on all machines, so that a command gives the same bits for any
    number of processors; matrices of this size gain nothing from more threads. Reading and encoding a network creates
    tens of thousands of objects and hardly any cycles: garbage collection takes a tenth of the time and finds nothing.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if verb in SHORT:
        gc.disable()
    else:
        gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
