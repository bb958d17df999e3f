"""One thread of linear algebra: sums come in one order on any machine, and matrices of this size gain nothing from more."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import threadpoolctl  # type: ignore[import-untyped]

from onnx_graph.shared_setting import SharedSetting


def one_thread() -> AbstractContextManager[None]:
    """Inside, BLAS computes on one thread, in the whole process."""
    return _ONE_THREAD.held()


def _limit() -> Callable[[], object]:
    _take_control()
    limiter = _controller().limit(limits=1, user_api="blas")

    def restore() -> None:
        _take_control()
        limiter.restore_original_limits()
        _take_control()

    return restore


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


_ONE_THREAD = SharedSetting(_limit)
