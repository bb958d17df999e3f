"""The interface of a predictor: structure graphs in, accuracy with its uncertainty out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from predictors.structure_graph import StructureGraph

NORMAL_90 = 1.6448536269514722
"""This many standard deviations to either side hold nine tenths of a normal distribution."""
TAIL = 0.05
"""Share of the accuracies beyond either end of an interval that holds nine tenths."""
NEAREST_CERTAINTY = 0.01
"""Means are taken to lie at least this far from 0 and 1 where spreads are limited: many are 0 or 1 only because they were clipped."""


def largest_std(mean: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest standard deviation that an accuracy of this mean can have: √(m(1 − m)), as it lies between 0 and 1."""
    inside = np.clip(mean, NEAREST_CERTAINTY, 1 - NEAREST_CERTAINTY)
    return np.asarray(np.sqrt(inside * (1 - inside)), np.float64)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted accuracies.

    Attributes:
        mean: float64 ``(networks,)``, in the unit of the fitted accuracies (0 to 1).
        std: float64 ``(networks,)``, standard deviation of the predictor's uncertainty, ≥ 0.
        low, high: float64 ``(networks,)``, interval that holds the accuracy nine times in ten; where a predictor has no interval of
            its own, that of a normal distribution.
        distance: float64 ``(networks,)``, from the networks of the fit; above 1 a network is *outside*. NaN where it is unknown.
        unseen: bool ``(networks,)``, whether the predictor never saw the network's task, or this kind of network for it: trust the
            order of such networks more than their accuracies.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    low: NDArray[np.float64] = None  # type: ignore[assignment]
    high: NDArray[np.float64] = None  # type: ignore[assignment]
    distance: NDArray[np.float64] = None  # type: ignore[assignment]
    unseen: NDArray[np.bool_] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Fill in what was not given."""
        if self.low is None or self.high is None:
            object.__setattr__(self, "low", np.clip(self.mean - NORMAL_90 * self.std, 0.0, 1.0))
            object.__setattr__(self, "high", np.clip(self.mean + NORMAL_90 * self.std, 0.0, 1.0))
        if self.distance is None:
            object.__setattr__(self, "distance", np.full(len(self.mean), np.nan))
        if self.unseen is None:
            object.__setattr__(self, "unseen", np.zeros(len(self.mean), np.bool_))

    def possible(self) -> "Prediction":
        """The same with no wider spread than an accuracy of that mean can have.

        The standard deviation is limited to `largest_std`. The interval leaves out what a tail of one in twenty cannot reach: by
        Markov's inequality an accuracy of mean m is above m / .05, or below 1 − (1 − m) / .05, less often than that. So the
        interval still holds what it states.
        """
        inside = np.clip(self.mean, NEAREST_CERTAINTY, 1 - NEAREST_CERTAINTY)
        return replace(
            self,
            std=np.minimum(self.std, largest_std(self.mean)),
            low=np.maximum(self.low, 1 - (1 - inside) / TAIL),
            high=np.minimum(self.high, inside / TAIL),
        )

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Whether each network is unlike all that the predictor saw, bool ``(networks,)``: do not trust the number."""
        return np.asarray(self.distance > 1.0)


class Predictor(Protocol):
    """Learns accuracy from structure. Same data and seed on one machine: the same predictor, bit for bit."""

    name: str

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from measured accuracies ``(networks,)`` in [0, 1]; at least two networks."""

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Score every graph; `NotFittedError` before `fit`."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fitted state as named arrays: all that `predictors.save` writes."""

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""


@runtime_checkable
class WarmStarted(Protocol):
    """A predictor that may start from another one, its source. What is saved names the source by a digest alone."""

    @property
    def source_digest(self) -> bytes | None:
        """`predictors.state.digest` of the source, 32 bytes; None where it starts from nothing."""

    def attach_source(self, source: Predictor) -> None:
        """Give a loaded predictor its source; `InvalidPredictorError` where it was fitted with another one."""
