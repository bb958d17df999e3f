"""Is a network like those that a predictor was fitted on? A distance, and the word *outside*.

Two things make a network strange: that none of the fit lies near it, and that its features lie beyond those of all of them. The
first alone would not see a network that is like the others in most features and far larger than any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidPredictorError
from predictors.features.matrix import matrix_width
from predictors.state import array, positive
from predictors.threads import one_thread

Floats = NDArray[np.float64]

FALSE_ALARMS = 0.015
"""Share of the networks that it was made from that each of the two would call outside were they left out."""
FOLDS = 5
ODD = 3
"""Features that may lie beyond those of the fit however far."""
LEAST = 0.02
"""Spreads that are always usual."""
MOST_ROWS = 800
FARTHEST = 5.0
"""Spreads from the centre that one feature may lie at most: one odd feature must not hide that all others agree."""
ANY = 1e9
"""Limit where too few networks were seen to tell what is usual."""
FLOOR = 0.05
"""Least spread of a feature, as a share of its centre or 1: what never varied is allowed to vary by so much."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Support:
    """Where a predictor was fitted.

    Attributes:
        centre, spread: of the features, float32 ``(features,)``.
        rows: standardised features of some of the networks, float16 ``(rows, features)``.
        low, high: of all networks' standardised features, float32 ``(features,)``.
        limit: distance to the nearest row that is still usual.
        reach: distance beyond low and high that is still usual.
    """

    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    rows: NDArray[np.float16]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    limit: float
    reach: float

    @classmethod
    def of(cls, features: NDArray[np.floating], rng: np.random.Generator) -> "Support":
        """The support of networks with these features ``(networks, features)``."""
        centre = features.mean(axis=0).astype(np.float32)
        floor = FLOOR * np.maximum(1.0, np.abs(centre))
        spread = np.maximum(features.std(axis=0), floor).astype(np.float32)
        order = rng.permutation(len(features))
        kept = np.sort(order[:MOST_ROWS])
        scaled = _scaled(features, centre, spread)
        rows = _held(scaled[kept]).astype(np.float16)
        # The others are judged by the rows; where there are no others, every row by the rest.
        judged = np.sort(order[MOST_ROWS : 2 * MOST_ROWS]) if len(features) > 2 * MOST_ROWS else kept
        return cls(
            centre=centre,
            spread=spread,
            rows=rows,
            low=scaled.min(axis=0),
            high=scaled.max(axis=0),
            limit=_usual(_nearest(_held(scaled[judged]), rows, skip_itself=judged is kept)),
            reach=_usual(_left_out_excess(scaled[order])),
        )

    @cached_property
    def _single_rows(self) -> NDArray[np.float32]:
        """The rows in single precision, ready for products."""
        return self.rows.astype(np.float32)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields, each under ``support_…``."""
        return {f"support_{field.name}": np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Support":
        """The support that `arrays` came from; `InvalidPredictorError` where they are damaged."""
        width = array(arrays, "support_centre", "f", (None,)).shape[0]
        rows = array(arrays, "support_rows", "f", (None, width)).astype(np.float16)
        if width != matrix_width() or not len(rows):
            raise InvalidPredictorError(f"saved support is damaged: {len(rows)} rows of {width} features")
        return cls(
            centre=array(arrays, "support_centre", "f", (width,)).astype(np.float32),
            spread=positive(arrays, "support_spread", (width,)).astype(np.float32),
            rows=rows,
            low=array(arrays, "support_low", "f", (width,)).astype(np.float32),
            high=array(arrays, "support_high", "f", (width,)).astype(np.float32),
            limit=float(positive(arrays, "support_limit", ())),  # type: ignore[arg-type]
            reach=float(positive(arrays, "support_reach", ())),  # type: ignore[arg-type]
        )

    def distances(self, features: NDArray[np.floating]) -> Floats:
        """How strange networks are, ``(networks,)``, as a multiple of what is still usual: above 1 they are outside."""
        scaled = _scaled(features, self.centre, self.spread)
        near = _nearest(_held(scaled), self._single_rows) / self.limit
        return np.asarray(np.maximum(near, _excess(scaled, self.low, self.high) / self.reach))


def _usual(distances: Floats) -> float:
    """What few of the networks' own distances exceed."""
    return max(float(np.quantile(distances, 1 - FALSE_ALARMS)), LEAST) if len(distances) > 2 else ANY


def _nearest(scaled: NDArray[np.float32], rows: NDArray[np.floating], *, skip_itself: bool = False) -> Floats:
    """Root mean squared difference to the nearest row over the features, in spreads."""
    rows = rows.astype(np.float32, copy=False)
    with one_thread():
        squares = (scaled**2).sum(axis=1)[:, None] + (rows**2).sum(axis=1) - 2 * scaled @ rows.T
    if skip_itself:
        np.fill_diagonal(squares, np.inf)
    nearest = squares.min(axis=1, initial=np.inf).astype(np.float64)
    return np.asarray(np.sqrt(np.maximum(nearest, 0.0) / max(rows.shape[1], 1)))


def _excess(scaled: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]) -> Floats:
    """Root mean squared amount by which features lie beyond those of the fit, in spreads; the few farthest do not count."""
    beyond = np.maximum(low - scaled, scaled - high).clip(0.0, FARTHEST).astype(np.float64)
    squares = np.sort(beyond**2, axis=1)[:, : max(beyond.shape[1] - ODD, 1)]
    return np.asarray(np.sqrt(squares.sum(axis=1) / beyond.shape[1]))


def _left_out_excess(scaled: NDArray[np.float32]) -> Floats:
    """The excess of every network over the others, a fifth at a time."""
    parts = np.array_split(scaled, min(FOLDS, len(scaled)))
    found = [np.zeros(0)]
    for place, part in enumerate(parts):
        others = [other for number, other in enumerate(parts) if number != place]
        if others:
            low = np.min([other.min(axis=0) for other in others], axis=0)
            high = np.max([other.max(axis=0) for other in others], axis=0)
            found.append(_excess(part, low, high))
    return np.concatenate(found)


def _scaled(
    features: NDArray[np.floating], centre: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray((features - centre) / spread, np.float32)


def _held(scaled: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(scaled, -FARTHEST, FARTHEST)
