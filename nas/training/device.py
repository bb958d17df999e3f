"""The device of a training, and how its arithmetic is done there."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nas.errors import UsageError

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
    """Use `threads` CPU threads and, on CUDA, full float32 precision and deterministic convolutions; restored at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        if device.type == "cuda":
            with (
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
                _full_products(),
            ):
                yield
        else:
            yield
    finally:
        torch.set_num_threads(before)


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
    """CPU threads for a step of so many multiply-accumulates."""
    return torch.get_num_threads() if work > THREADED else 1
