"""The device of a training, and how its arithmetic is done there."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nas.errors import UsageError
from onnx_graph.internals import limit_this_thread, openmp_threads

THREADED = 200_000_000
"""From this many multiply-accumulates in a batch on, a second thread gains more than the synchronisation costs."""


def torch_device(name: str) -> torch.device:
    """The device of that name; `UsageError` naming what there is if it cannot be used."""
    available = ["cpu"]
    if torch.cuda.is_available():
        available += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name not in available:
        raise UsageError(f"device {name!r} is not available here; available: {', '.join(available)}")
    return torch.device(name)


@contextmanager
def arithmetic(device: torch.device, threads: int) -> Iterator[None]:
    """Use `threads` CPU threads for what the calling thread computes; on CUDA, full precision and deterministic convolutions.

    Precision and determinism on CUDA are settings of the whole process, for which torch has no narrower place; they are
    restored at the end.
    """
    torch.get_num_threads()  # sets the number of a new thread, which the limit then replaces
    with openmp_threads(threads):
        if device.type == "cuda":
            with (
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
                _full_products(),
            ):
                yield
        else:
            yield


def compute_on_one_thread() -> None:
    """Give the calling thread, one of a pool, one CPU thread until it ends."""
    torch.get_num_threads()
    limit_this_thread(1)


@contextmanager
def _full_products() -> Iterator[None]:
    """No TF32 in matrix products."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def threads_for(work: int) -> int:
    """CPU threads for a step with this number of multiply-accumulates."""
    return torch.get_num_threads() if work > THREADED else 1
