"""The scale of an axis: positions of values, and values with a tick."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

MOST_TICKS = 6


@dataclass(frozen=True)
class Scale:
    """The scale of one axis.

    Attributes:
        low, high: values at the two ends.
        log: whether the axis is logarithmic; then `low` is above 0.
        label: function that returns the text of a tick.
    """

    low: float
    high: float
    log: bool = False
    label: Callable[[float], str] = lambda value: f"{value:g}"

    @classmethod
    def around(
        cls,
        values: Iterable[float],
        *,
        log: bool = False,
        least: float = -math.inf,
        most: float = math.inf,
        label: Callable[[float], str] = lambda value: f"{value:g}",
    ) -> "Scale":
        """A scale that shows all values with a margin of 4 %, but does not go below `least` or above `most`."""
        found = [value for value in values if not log or value > 0] or [1.0]
        low, high = min(found), max(found)
        if log:
            factor = max(high / low, 1.5) ** 0.04
            return cls(low / factor, high * factor, True, label)
        margin = max((high - low) * 0.04, abs(high) * 0.005, 0.005)
        return cls(max(low - margin, least), min(high + margin, most), False, label)

    def share(self, value: float) -> float:
        """Position of the value: 0 at the low end, 1 at the high end."""
        if self.log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """A few round values between the ends."""
        if self.log:
            found = _within(self, _powers(self.low, self.high, (1, 2, 5)))
            if len(found) > MOST_TICKS:
                found = _within(self, _powers(self.low, self.high, (1,)))
            if len(found) >= 2:
                return found[:: -(-len(found) // MOST_TICKS)]
        return _within(self, _steps(self.low, self.high))


def _within(scale: Scale, values: Sequence[float]) -> list[float]:
    slack = 1e-9 * (scale.high - scale.low)
    return [value for value in values if scale.low - slack <= value <= scale.high + slack]


def _powers(low: float, high: float, leads: Sequence[int]) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [lead * 10.0**exponent for exponent in exponents for lead in leads]


def _steps(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / (MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(lead * power for lead in (1, 2, 5, 10) if lead * power >= rough)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]
