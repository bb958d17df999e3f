"""A hidden layer as a sum of its units' contributions, of which some are to be chosen (Ye et al. 2020, arXiv:2003.01794)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]

CHUNK = 1 << 18
"""Number of layer outputs whose loss is computed at once, small enough for a processor's cache."""


@dataclass(frozen=True, eq=False)
class MeanField:
    """The contributions of a layer's units to the sum after it, on N examples.

    Attributes:
        contributions: ``(units, N, …)``.
        rest: everything else in the sum, ``(N, …)``, such as a bias.
        target: the sum in the trained network ``(N, …)``.
        loss: mean loss of the network ``(K,)`` for K such sums ``(K, N, …)``.
    """

    contributions: Tensor
    rest: Tensor
    target: Tensor
    loss: Loss

    @cached_property
    def live(self) -> Tensor:
        """Bool ``(units,)``: False for units whose contribution is zero for every example, unless all units are such."""
        live = self.contributions.flatten(1).any(1)
        return live if bool(live.any()) else torch.ones_like(live)

    def output(self, coefficients: Tensor) -> Tensor:
        """The sum with each contribution multiplied by its coefficient ``(units,)``."""
        return self.rest + torch.einsum("u,u...->...", coefficients, self.contributions)

    def losses(self, sum_: Tensor, factor: float) -> Tensor:
        """Loss ``(units,)`` of the network with `factor` times each unit's contribution added to a sum ``(N, …)``."""
        size = max(1, CHUNK // max(sum_.numel(), 1))
        return torch.cat(
            [self.loss(torch.add(sum_, part, alpha=factor)) for part in torch.split(self.contributions, size)]
        )

    def loss_of(self, coefficients: Tensor) -> float:
        """Loss of the network with these coefficients."""
        return float(self.loss(self.output(coefficients)[None]))


@dataclass(frozen=True, eq=False)
class Choice:
    """A choice of units.

    Attributes:
        coefficients: ``(units,)`` by which their contributions are multiplied; 0 for those that were not chosen.
        units: number of chosen units after each step; a unit may be chosen again.
        errors: the quantity that the method lowers, after each step.
    """

    coefficients: Tensor
    units: Sequence[int]
    errors: Sequence[float]


def candidates(chosen: Tensor, live: Tensor, count: int, step: int) -> Tensor:
    """Bool ``(units,)``: units that a step may choose; after ``3 · count`` steps only new ones, so that the selection ends."""
    return live if step < 3 * count else live & ~chosen


def comparable(values: Tensor) -> Tensor:
    """Replace NaN by the largest number, so that such a unit still comes before units that may not be chosen."""
    largest = torch.finfo(values.dtype).max
    return values.nan_to_num(nan=largest, posinf=largest, neginf=-largest)
