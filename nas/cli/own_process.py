"""What `nas` sets for its own process: one thread of linear algebra, and a garbage collector that seldom runs.

No function of the packages changes such things, since they would change them for the program that calls them too.
"""

import gc
import os

SHORT = frozenset({"predict", "inspect", "export", "list", "report"})
"""Commands that end before garbage could matter."""
YOUNG = 10_000
"""New objects before the collector looks at them; Python's 700 suits programs that make fewer."""


def claim_process(verb: str | None) -> None:
    """Settings for the rest of the process, and of those that it starts. To be called before numpy is imported.

    With one thread, sums come in one order on any machine, so that a command gives the same bits whatever the number of
    processors; matrices of this size gain nothing from more threads. Reading and encoding a network makes tens of thousands
    of objects and hardly any cycles: walking over all of them takes a tenth of that time and finds nothing.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if verb in SHORT:
        gc.disable()
    else:
        gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
