"""The interface of a predictor: structure graphs in, accuracy with its uncertainty out."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from predictors.structure_graph import StructureGraph

NORMAL_90 = 1.6448536269514722
"""This many standard deviations to either side hold nine tenths of a normal distribution."""
DOUBTFUL = 0.08
"""Half the width of an interval above which a prediction of accuracy is doubtful.

Of 2,240 predictions for learned masks with their architecture left out, 94 % of those with an error above .10 were doubtful by this
limit, and 20 % of those with an error below .03.
"""
TAIL = 0.05
"""Share of the accuracies beyond either end of an interval that holds nine tenths."""
NEAREST_CERTAINTY = 0.01
"""When spreads are limited, means count as at least this far from 0 and 1: many are 0 or 1 only because they were clipped."""


def largest_std(mean: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest standard deviation that an accuracy of this mean can have: √(m(1 − m)), as it lies between 0 and 1."""
    inside = np.clip(mean, NEAREST_CERTAINTY, 1 - NEAREST_CERTAINTY)
    return np.asarray(np.sqrt(inside * (1 - inside)), np.float64)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted accuracies.

    Attributes:
        mean: predicted accuracies, float64 ``(networks,)``, in the unit of the fitted accuracies (0 to 1).
        std: standard deviation of the predictor's uncertainty, float64 ``(networks,)``, ≥ 0.
        low, high: bounds of the interval that contains the accuracy in nine of ten cases, float64 ``(networks,)``; if a predictor
            has no interval of its own, the interval of a normal distribution.
        distance: distance from the networks of the fit, float64 ``(networks,)``; a network with a distance above 1 is *outside*.
            NaN if unknown.
        unseen: whether the predictor never saw the network's task, or this kind of network for it, bool ``(networks,)``: the order
            of such networks is more reliable than their accuracies.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    low: NDArray[np.float64] = None  # type: ignore[assignment]
    high: NDArray[np.float64] = None  # type: ignore[assignment]
    distance: NDArray[np.float64] = None  # type: ignore[assignment]
    unseen: NDArray[np.bool_] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Fill in fields that were not given."""
        if self.low is None or self.high is None:
            object.__setattr__(self, "low", np.clip(self.mean - NORMAL_90 * self.std, 0.0, 1.0))
            object.__setattr__(self, "high", np.clip(self.mean + NORMAL_90 * self.std, 0.0, 1.0))
        if self.distance is None:
            object.__setattr__(self, "distance", np.full(len(self.mean), np.nan))
        if self.unseen is None:
            object.__setattr__(self, "unseen", np.zeros(len(self.mean), np.bool_))

    def possible(self) -> "Prediction":
        """The same prediction, with its spread limited to the values that are possible for an accuracy with that mean.

        The standard deviation is limited to `largest_std`. The interval is limited by Markov's inequality: an accuracy with mean m
        is above m / .05, or below 1 − (1 − m) / .05, in less than one of twenty cases each. So the interval still contains nine
        tenths.
        """
        inside = np.clip(self.mean, NEAREST_CERTAINTY, 1 - NEAREST_CERTAINTY)
        return replace(
            self,
            std=np.minimum(self.std, largest_std(self.mean)),
            low=np.maximum(self.low, 1 - (1 - inside) / TAIL),
            high=np.minimum(self.high, inside / TAIL),
        )

    def joined(self, other: "Prediction") -> "Prediction":
        """The prediction if each of two is equally likely to be the right one: its interval covers both."""
        mean = (self.mean + other.mean) / 2
        variance = (self.std**2 + other.std**2) / 2 + ((self.mean - other.mean) / 2) ** 2
        return Prediction(
            mean,
            np.asarray(np.sqrt(variance)),
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            np.maximum(self.distance, other.distance),
            self.unseen | other.unseen,
        )

    @classmethod
    def merged(cls, parts: "Sequence[tuple[Sequence[int], Prediction]]", count: int) -> "Prediction":
        """One prediction for `count` networks from parts, each with the places of its networks."""
        found: dict[str, NDArray[np.generic]] = {
            one.name: np.zeros(count, np.bool_ if one.name == "unseen" else np.float64) for one in fields(cls)
        }
        for places, part in parts:
            for name, values in found.items():
                values[list(places)] = getattr(part, name)
        return cls(**found)  # type: ignore[arg-type]

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Whether each network is unlike all networks of the fit, bool ``(networks,)``: do not trust such a prediction."""
        return np.asarray(self.distance > 1.0)

    @property
    def doubtful(self) -> NDArray[np.bool_]:
        """Whether the predictor itself expects a large error, bool ``(networks,)``: half of the interval is above `DOUBTFUL`."""
        return np.asarray((self.high - self.low) / 2 > DOUBTFUL)


class Predictor(Protocol):
    """A model that learns accuracy from structure. On one machine, the same data and seed give the same predictor, bit for bit."""

    name: str

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Learn from measured accuracies ``(networks,)`` in [0, 1]; at least two networks."""

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Score every graph; `NotFittedError` before `fit`."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fitted state as named arrays: everything that `predictors.save` writes."""

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""


@runtime_checkable
class Divided(Protocol):
    """A predictor that asks others."""

    def answering(self, graph: StructureGraph) -> Predictor:
        """The predictor that answers for a network."""


def answering(predictor: Predictor, graph: StructureGraph) -> Predictor:
    """The predictor that answers for a network: itself, unless it asks others."""
    return predictor.answering(graph) if isinstance(predictor, Divided) else predictor


@runtime_checkable
class WarmStarted(Protocol):
    """A predictor that may start from another one, its source. A saved predictor identifies its source only by a digest."""

    @property
    def source_digest(self) -> bytes | None:
        """`predictors.state.digest` of the source, 32 bytes; None without a source."""

    def attach_source(self, source: Predictor) -> None:
        """Give a loaded predictor its source; raises `InvalidPredictorError` if it was fitted with another one."""
