"""A metric: a number that says how well a trained network answers, with its unit and direction."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -1
"""The target that counts nowhere."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one or several networks answer to some examples of a split.

    Attributes:
        logits: ``(*lead, N, K)`` or ``(*lead, N, T, K)``; lead is ``()`` for one network and ``(P,)`` for a stack.
        targets: int64 ``(N,)`` or ``(N, T)``, the same for all networks; `IGNORED` counts nowhere.
        legal: bool ``(N, T, K)``, which answers a grammar allows; None where one answer is right.
    """

    logits: "Tensor"
    targets: "Tensor"
    legal: "Tensor | None" = None


class Measure(Protocol):
    """How a metric is computed."""

    def __call__(self, parts: Iterable[Answers], /) -> "Tensor":
        """The metric of each network, shape ``(*lead,)``, from the parts of a split in order. There is at least one part."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric, as a value that a registry holds.

    Attributes:
        name: as objectives, constraints, columns and reports write it.
        meaning: in one line.
        measure: computes it.
        direction: whether networks are better with more of it or with less (Optuna's words).
        unit: printed after a value; ``%`` means that the value is a share and is printed in per cent.
        low, high: the values lie between these; infinite where there is no bound.
    """

    name: str
    meaning: str
    measure: Measure
    direction: Literal["maximize", "minimize"] = "maximize"
    unit: str = "%"
    low: float = 0.0
    high: float = 1.0

    @property
    def sign(self) -> float:
        """What a value is multiplied with so that larger is better."""
        return 1.0 if self.direction == "maximize" else -1.0

    def to_share(self, value: float) -> float:
        """The value on a scale from 0, the worst, to 1, the best: what predictors learn. A share to maximize stays as it is."""
        best, worst = (self.high, self.low) if self.direction == "maximize" else (self.low, self.high)
        if (worst, best) == (0.0, 1.0):
            return value
        if math.isfinite(best) and math.isfinite(worst):
            return (value - worst) / (best - worst)
        if math.isfinite(best):
            return 1 / (1 + abs(best - value))
        if math.isfinite(worst):
            return 1 - 1 / (1 + abs(value - worst))
        return 1 / (1 + math.exp(-self.sign * value))

    def from_share(self, share: float) -> float:
        """Inverse of `to_share`."""
        best, worst = (self.high, self.low) if self.direction == "maximize" else (self.low, self.high)
        if (worst, best) == (0.0, 1.0):
            return share
        if math.isfinite(best) and math.isfinite(worst):
            return worst + share * (best - worst)
        share = min(max(share, 1e-9), 1 - 1e-9)
        if math.isfinite(best):
            return best - self.sign * (1 / share - 1)
        if math.isfinite(worst):
            return worst + self.sign * (1 / (1 - share) - 1)
        return self.sign * math.log(share / (1 - share))

    def text(self, value: float) -> str:
        """The value with its unit, for people."""
        return f"{value:.2%}".replace("%", " %") if self.unit == "%" else f"{value:.4g} {self.unit}".rstrip()


def mean(parts: Iterable[Answers], each: Callable[[Answers], "Tensor"]) -> "Tensor":
    """Mean over the targets that count, float64 ``(*lead,)``.

    Args:
        parts: of a split.
        each: a number for every target, ``(*lead, N)`` or ``(*lead, N, T)``; 0 or False for the targets that do not count.
    """
    total, counted = None, 0
    for part in parts:
        values = each(part)
        sums = values.flatten(values.dim() - part.targets.dim()).sum(-1).double()
        total = sums if total is None else total + sums
        counted += int((part.targets != IGNORED).sum())
    if total is None:
        raise ValueError("a metric needs at least one example")
    return total / max(counted, 1)
