"""The examples of a task on a device, and the order in which a training sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.metrics import IGNORED
from nas.tasks.task import Split


@dataclass(frozen=True, eq=False)
class Examples:
    """A whole split as tensors: ``x (N, …)``, ``y (N,)`` or ``(N, T)``, ``legal (N, T, K)`` or None.

    Attributes:
        padded: whether some targets are ignored.
    """

    x: Tensor
    y: Tensor
    legal: Tensor | None
    padded: bool

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.x)


def examples(split: Split, device: torch.device) -> Examples:
    """Copy a split to the device."""
    y = torch.from_numpy(np.asarray(split.y, np.int64)).to(device)
    legal = None if split.legal is None else torch.from_numpy(np.asarray(split.legal)).to(device)
    x = torch.from_numpy(np.ascontiguousarray(split.x, np.float32)).to(device)
    return Examples(x=x, y=y, legal=legal, padded=bool((y == IGNORED).any()))


def bounds(count: int, batch_size: int) -> list[tuple[int, int]]:
    """Start and end of each batch of an epoch: as few as `batch_size` allows, equal to within one example.

    A short last batch would give its examples more weight, and a single example has no batch statistics.
    """
    batches = -(-count // batch_size)
    edges = [round(index * count / batches) for index in range(batches + 1)]
    return list(pairwise(edges))


def order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The permutation in which one network sees the examples in one epoch."""
    return np.random.default_rng((abs(seed), 1, epoch)).permutation(count)


def orders(seeds: Sequence[int], epoch: int, count: int, device: torch.device) -> Tensor:
    """``(len(seeds), count)``: the order of each network of a stack."""
    return torch.from_numpy(np.stack([order(seed, epoch, count) for seed in seeds])).to(device)
