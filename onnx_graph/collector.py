"""Python's cyclic garbage collector, at rest while networks are read and encoded.

That makes tens of thousands of small objects and no cycles to speak of, but every so often the collector walks all objects of
the process: with torch and scikit-learn loaded a quarter of the time that a graph of thousands of nodes takes.
"""

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager

from onnx_graph.shared_setting import SharedSetting


def at_rest() -> AbstractContextManager[None]:
    """No collection meanwhile; what was off before stays off."""
    return _AT_REST.held()


def _rest() -> Callable[[], object]:
    ran_before = gc.isenabled()
    gc.disable()
    return gc.enable if ran_before else gc.disable


_AT_REST = SharedSetting(_rest)
