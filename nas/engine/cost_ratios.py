"""What the learned masks of a run cost, compared with their stand-ins: the ratio, estimated for the next plan.

Masks of one method in one architecture have similar ratios; another method or a much larger network says less. A plan's ratio is the
mean of all measured ones, weighted by how near they are (the kernel regression of Nadaraya 1964), on a logarithmic scale.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OTHER_METHOD, OTHER_ARCHITECTURE = 0.2, 0.3
"""Weights of a ratio that was measured with another method, or in another architecture with as many weights."""
DOUBT = 0.02
"""How many near measurements count as much as the belief that the stand-in is right."""


@dataclass(frozen=True, kw_only=True)
class MaskToLearn:
    """What is known of a learned mask before its training.

    Attributes:
        method: name of the method.
        architecture: digest of the dense network.
        total: number of weights of the dense network.
        keep: number of weights to keep.
    """

    method: str
    architecture: str
    total: int
    keep: int

    def nearness(self, other: "MaskToLearn") -> float:
        """How much a measurement of the other one says of this one, above 0 and at most 1."""
        found = math.exp(-abs(math.log(self.keep / other.keep)))
        if self.method != other.method:
            found *= OTHER_METHOD
        if self.architecture != other.architecture:
            found *= OTHER_ARCHITECTURE * math.exp(-abs(math.log(self.total / other.total)))
        return found


@dataclass(frozen=True)
class CostRatios:
    """Measured ratios.

    Attributes:
        measured: each mask with the logarithms of its costs' ratios to the stand-in, by name of the cost.
    """

    measured: Sequence[tuple[MaskToLearn, Mapping[str, float]]] = ()

    def of(self, mask: MaskToLearn, cost: str) -> float:
        """The ratio that a cost of the mask will have; 1 as long as nothing is measured."""
        known = [(mask.nearness(other), ratios[cost]) for other, ratios in self.measured if cost in ratios]
        weight = sum(near for near, _ in known)
        return math.exp(sum(near * ratio for near, ratio in known) / (weight + DOUBT))


def log_ratio(measured: float, stand_in: float) -> float | None:
    """The logarithm of the ratio of two costs; None if one of them is not above 0."""
    return math.log(measured / stand_in) if measured > 0 and stand_in > 0 else None
