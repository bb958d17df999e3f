"""One thread of linear algebra: sums come in one order on any machine, and matrices of this size gain nothing from more."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import threadpoolctl  # type: ignore[import-untyped]

_lock = Lock()
_inside = 0
_limiter: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, BLAS computes on one thread, in the whole process. Threads may be inside together: the last to leave restores."""
    global _inside, _limiter
    with _lock:
        if not _inside:
            _take_control()
            _limiter = _controller().limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _take_control()
                _limiter.restore_original_limits()
                _take_control()


def _take_control() -> None:
    """From 3.8 on threadpoolctl obeys only the thread that set a limit first, which need not be the last to leave."""
    clear = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


@cache
def _controller() -> Any:
    """Finding the loaded libraries takes milliseconds: it is done once, when those of numpy and of scipy are there."""
    import scipy.linalg  # noqa: F401

    return threadpoolctl.ThreadpoolController()
