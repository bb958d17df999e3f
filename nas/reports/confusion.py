"""The confusion matrix of a classifier: how often it confuses each class with each other class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import RunError
from nas.reports.fields import Fields


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix of counts of test examples.

    Attributes:
        classes: names of the classes, in the order of the network's outputs.
        counts: ``counts[i][j]`` is the number of examples of class i that the network classifies as j.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, true: NDArray[np.int64], given: NDArray[np.int64], classes: Sequence[str]) -> "Confusion":
        """Count pairs of true classes ``(N,)`` and predicted classes ``(N,)``."""
        counts = np.zeros((len(classes), len(classes)), np.int64)
        np.add.at(counts, (true, given), 1)
        return cls(tuple(classes), tuple(tuple(row) for row in counts.tolist()))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"classes": list(self.classes), "counts": [list(row) for row in self.counts]}

    @classmethod
    def from_json(cls, data: object, place: str) -> "Confusion":
        """Read what `to_json` wrote."""
        fields = Fields(data, place)
        classes = fields.texts("classes")
        counts = tuple(Fields({"counts": row}, place).counts("counts") for row in fields.items("counts"))
        if not classes or len(counts) != len(classes) or any(len(row) != len(classes) for row in counts):
            raise RunError(
                f"{place} is damaged: 'counts' must be a table of {len(classes)} × {len(classes)} whole numbers"
            )
        return cls(classes, counts)
