"""The number of OpenMP threads of the calling thread: the one limit on threads that belongs to a thread and not to the process.

The limits of BLAS libraries and `torch.set_num_threads` reach other threads too, so no function of these packages sets them.
torch sets the number of a new thread when the thread first asks for it: call `torch.get_num_threads` before these functions.
Its matrix products obey, unless the host has called `torch.set_num_threads`: then they use as many threads as it said.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import threadpoolctl  # type: ignore[import-untyped]


@contextmanager
def openmp_threads(threads: int) -> Iterator[None]:
    """Inside, what the calling thread computes with OpenMP takes `threads` threads; other threads keep their number."""
    with _libraries().limit(limits=threads):
        yield


def limit_this_thread(threads: int) -> None:
    """As `openmp_threads` until the thread ends, for the threads of a pool."""
    _libraries().limit(limits=threads)


def _libraries() -> Any:
    """The OpenMP libraries that are loaded by now."""
    return threadpoolctl.ThreadpoolController().select(user_api="openmp")
