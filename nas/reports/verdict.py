"""Whether the winner is better than a baseline: compares the difference with the noise of trainings and test examples."""

import math
from dataclasses import dataclass
from typing import Literal

from nas.reports.rows.network_row import NetworkRow


@dataclass(frozen=True)
class Verdict:
    """A comparison on the test split.

    Attributes:
        difference: mean of the winner minus mean of the other network; negated for a metric to minimize, so that more is better.
        kind: ``better`` or ``worse`` if the difference is more than twice its standard error, else ``within noise``; ``same`` for one
            and the same training; ``unknown`` if the standard error is.
        error: standard error of the difference: of the test examples, and of the trainings where there are several. None if that of the
            examples is not known, as in a report of an earlier version, and one of the two was trained only once.
    """

    difference: float
    kind: Literal["better", "worse", "within noise", "same", "unknown"]
    error: float | None = None

    @classmethod
    def of(cls, best: NetworkRow, other: NetworkRow, sign: float = 1.0) -> "Verdict":
        """Compare the winner with another network; `sign` is -1 for a metric to minimize."""
        difference = sign * (best.mean - other.mean)
        if best.digest == other.digest and best.seeds == other.seeds and other.error == 0.0:
            return cls(difference, "same", 0.0)
        if other.error is None and (best.std is None or other.std is None):
            return cls(difference, "unknown")
        trainings = [row.std**2 / len(row.accuracies) for row in (best, other) if row.std is not None]
        error = math.sqrt(sum(trainings) + (other.error or 0.0) ** 2)
        if abs(difference) <= 2 * error or difference == 0:
            return cls(difference, "within noise", error)
        return cls(difference, "better" if difference > 0 else "worse", error)

    @property
    def points(self) -> str:
        """The size of the difference in points."""
        return f"{abs(self.difference) * 100:.2f} points"

    def __str__(self) -> str:
        """The verdict in words, for a remark in brackets."""
        if self.kind == "unknown":
            return f"{self.difference * 100:+.2f} points for the winner, of single trainings: the noise is not known"
        if self.kind == "same":
            return "the same network"
        if self.kind == "within noise":
            return f"a difference of {self.points}, within the noise"
        return f"the winner is {self.points} {self.kind}"
