"""The number of OpenMP threads of the calling thread: the only thread limit that applies to one thread and not to the process.

The limits of BLAS libraries and `torch.set_num_threads` reach other threads too, so no function of these packages sets them.
torch sets the number for a new thread when the thread first asks for it: call `torch.get_num_threads` before these functions.
torch's matrix products obey the limit, unless the application has called `torch.set_num_threads`: then they use that number.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import threadpoolctl  # type: ignore[import-untyped]


@contextmanager
def openmp_threads(threads: int) -> Iterator[None]:
    """Inside this context, OpenMP computations of the calling thread use `threads` threads; other threads keep their number."""
    with _libraries().limit(limits=threads):
        yield


def limit_this_thread(threads: int) -> None:
    """Like `openmp_threads`, but until the thread ends; for the threads of a pool."""
    _libraries().limit(limits=threads)


def _libraries() -> Any:
    """The OpenMP libraries that are loaded so far."""
    return threadpoolctl.ThreadpoolController().select(user_api="openmp")
