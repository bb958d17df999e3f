"""A metric: a measure of the quality of a trained network's answers, with its unit and direction."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -1
"""The target that no loss or metric counts."""


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one or several networks for a part of a split.

    Attributes:
        logits: ``(*lead, N, K)`` or ``(*lead, N, T, K)``; lead is ``()`` for one network and ``(P,)`` for a stack.
        targets: int64 ``(N,)`` or ``(N, T)``, the same for all networks; `IGNORED` is not counted.
        legal: bool ``(N, T, K)``, answers that a grammar allows; None if only one answer is right.
    """

    logits: "Tensor"
    targets: "Tensor"
    legal: "Tensor | None" = None


class Measure(Protocol):
    """A function that computes a metric."""

    def __call__(self, parts: Iterable[Answers], /) -> "Tensor":
        """The metric of each network, shape ``(*lead,)``, from the parts of a split in order. There is at least one part."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric, as an entry of a registry.

    Attributes:
        name: name in objectives, constraints, columns and reports.
        meaning: description in one line.
        measure: function that computes it.
        direction: ``maximize`` if more is better, ``minimize`` if less is better (Optuna's words).
        unit: text printed after a value; ``%`` means that the value is a share and is printed in per cent.
        low, high: bounds of the values; infinite if there is no bound.
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
        """Factor 1 or -1 that makes larger values better."""
        return 1.0 if self.direction == "maximize" else -1.0

    def to_share(self, value: float) -> float:
        """The value on a scale from 0, the worst, to 1, the best: on which predictors learn. A share to maximize is unchanged."""
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
    """Mean over all targets that are not ignored, float64 ``(*lead,)``.

    Args:
        parts: parts of a split.
        each: a number for every target, ``(*lead, N)`` or ``(*lead, N, T)``; 0 or False for ignored targets.
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
