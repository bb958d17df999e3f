"""Limit on the memory of data while it is read; checked by the sizes that a file states, before anything is allocated."""

import os
from math import prod

import numpy as np

from nas.errors import DataError, UsageError

VARIABLE = "NAS_DATA_MEMORY"
"""Environment variable with the limit in GiB, for data sets that are larger than `DEFAULT`."""

DEFAULT = 1.5
"""Limit in GiB. CIFAR-10 takes 1.1."""

BYTES_OF_A_LABEL = 100
"""Bytes for one label: sorting and dividing hold about ten arrays of 8 bytes."""


def require_memory(what: str, needed: int) -> None:
    """Refuse data that would take too much memory.

    Args:
        what: name of the file and of the large part in it; the message begins with it.
        needed: bytes in memory at the same time, until the task is complete.

    Raises:
        DataError: the data needs more than the limit.
        UsageError: the environment variable is not a positive number.
    """
    limit = _limit()
    if needed > limit * 2**30:
        raise DataError(
            f"{what} would take {needed / 2**30:,.1f} GiB of memory, more than the {limit:g} GiB that data may take; "
            f"set {VARIABLE} to more GiB if the machine has them"
        )


def bytes_in_memory(shape: tuple[int, ...], dtype: "np.dtype[np.generic]") -> int:
    """Bytes that an array of a file needs until it is part of a task: the array itself, its parts, float32, the average."""
    values = prod(shape)
    if dtype.kind in "US":
        return values * (6 * dtype.itemsize + BYTES_OF_A_LABEL)
    if len(shape) <= 1:
        return values * BYTES_OF_A_LABEL
    if dtype == np.uint8 and len(shape) > 2:  # pixels: mean and deviation are not computed
        return values * (2 + 4)
    return values * (2 * dtype.itemsize + 4 + 8)


def _limit() -> float:
    text = os.environ.get(VARIABLE, "").strip()
    try:
        limit = float(text) if text else DEFAULT
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise UsageError(f"{VARIABLE} must be a positive number of GiB, got {text!r}")
    return limit
