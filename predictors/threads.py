"""One thread of linear algebra: sums come in one order on any machine, and matrices of this size gain nothing from more."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


def one_thread() -> AbstractContextManager[Any]:
    """Inside, BLAS computes on one thread."""
    found: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return found


@cache
def _controller() -> ThreadpoolController:
    """Finding the loaded libraries takes milliseconds: it is done once, when those of numpy and of scipy are there."""
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()
