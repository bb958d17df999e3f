"""The best possible result of a predictor: trainings of one network differ, and the structure cannot predict this noise."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors import attainable_tau, kendall_inside


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The best possible result of a predictor on some networks.

    Attributes:
        networks: number of networks with at least two trainings.
        trainings: harmonic mean of their numbers of trainings.
        agreement: Kendall's τ inside cells between two trainings.
        tau: Kendall's τ of a perfect predictor against the mean of the trainings (`predictors.calibration.ranking.attainable_tau`).
        noise: standard deviation of one training, averaged over networks.
    """

    networks: int
    trainings: float
    agreement: float
    tau: float
    noise: float


def ceiling(trainings: Sequence[NDArray[np.float64]], cells: Sequence[Hashable]) -> Ceiling:
    """The ceiling inside cells, from the first two trainings of every network that has two."""
    rows = [row for row, values in enumerate(trainings) if len(values) > 1]
    first, second = (np.array([trainings[row][repeat] for row in rows]) for repeat in (0, 1))
    agreement = kendall_inside(first, second, [cells[row] for row in rows])
    count = 1 / float(np.mean([1 / len(trainings[row]) for row in rows])) if rows else float("nan")
    return Ceiling(
        networks=len(rows),
        trainings=count,
        agreement=agreement,
        tau=attainable_tau(agreement, count),
        noise=float(np.mean([trainings[row].std(ddof=1) for row in rows])) if rows else float("nan"),
    )
