"""Whether the winner is better than a baseline: compares the difference with the noise of the trainings."""

import math
from dataclasses import dataclass
from typing import Literal

from nas.reports.rows.network_row import NetworkRow


@dataclass(frozen=True)
class Verdict:
    """A comparison on the test split.

    Attributes:
        difference: mean of the winner minus mean of the other network; negated for a metric to minimize, so that more is better.
        kind: ``better`` or ``worse`` if the difference is more than twice its standard error, else ``within noise``;
            ``unknown`` if one of the two was trained only once.
    """

    difference: float
    kind: Literal["better", "worse", "within noise", "unknown"]

    @classmethod
    def of(cls, best: NetworkRow, other: NetworkRow, sign: float = 1.0) -> "Verdict":
        """Compare the winner with another network; `sign` is -1 for a metric to minimize."""
        difference = sign * (best.mean - other.mean)
        if best.std is None or other.std is None:
            return cls(difference, "unknown")
        error = math.sqrt(best.std**2 / len(best.accuracies) + other.std**2 / len(other.accuracies))
        if abs(difference) <= 2 * error or difference == 0:
            return cls(difference, "within noise")
        return cls(difference, "better" if difference > 0 else "worse")

    @property
    def points(self) -> str:
        """The size of the difference in points."""
        return f"{abs(self.difference) * 100:.2f} points"

    def __str__(self) -> str:
        """The verdict in words, for a remark in brackets."""
        if self.kind == "unknown":
            return f"{self.difference * 100:+.2f} points for the winner, of single trainings: the noise is not known"
        if self.kind == "within noise":
            return f"a difference of {self.points}, within the noise of the trainings"
        return f"the winner is {self.points} {self.kind}"
