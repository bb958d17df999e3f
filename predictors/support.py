"""Is a network like those that a predictor was fitted on? A distance to the nearest of them, and the word *outside*."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidPredictorError
from predictors.features import matrix_width
from predictors.state import array, positive
from predictors.threads import one_thread

Floats = NDArray[np.float64]

FALSE_ALARMS = 0.03
"""Share of the networks that it was made from that would be called outside were they left out."""
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
        limit: distance beyond which a network is outside.
    """

    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    rows: NDArray[np.float16]
    limit: float

    @classmethod
    def of(cls, features: NDArray[np.floating], rng: np.random.Generator) -> "Support":
        """The support of networks with these features ``(networks, features)``."""
        centre = features.mean(axis=0).astype(np.float32)
        floor = FLOOR * np.maximum(1.0, np.abs(centre))
        spread = np.maximum(features.std(axis=0), floor).astype(np.float32)
        order = rng.permutation(len(features))
        kept = np.sort(order[:MOST_ROWS])
        rows = _scaled(features[kept], centre, spread).astype(np.float16)
        found = cls(centre=centre, spread=spread, rows=rows, limit=1.0)
        # The others are judged by the rows; where there are no others, every row by the rest.
        judged = np.sort(order[MOST_ROWS : 2 * MOST_ROWS]) if len(features) > 2 * MOST_ROWS else kept
        distances = found.distances(features[judged], skip_itself=judged is kept)
        limit = max(float(np.quantile(distances, 1 - FALSE_ALARMS)), 1e-6) if len(distances) > 2 else ANY
        return cls(centre=centre, spread=spread, rows=rows, limit=limit)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields, each under ``support_…``."""
        return {f"support_{name}": np.asarray(value) for name, value in vars(self).items()}

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
            limit=float(positive(arrays, "support_limit", ())),  # type: ignore[arg-type]
        )

    def distances(self, features: NDArray[np.floating], *, skip_itself: bool = False) -> Floats:
        """Distance to the nearest row, ``(networks,)``: root mean squared difference over the features, in spreads."""
        scaled, rows = _scaled(features, self.centre, self.spread), self.rows.astype(np.float32)
        with one_thread():
            squares = (scaled**2).sum(axis=1)[:, None] + (rows**2).sum(axis=1) - 2 * scaled @ rows.T
        if skip_itself:
            np.fill_diagonal(squares, np.inf)
        nearest = squares.min(axis=1, initial=np.inf).astype(np.float64)
        return np.asarray(np.sqrt(np.maximum(nearest, 0.0) / max(rows.shape[1], 1)))


def _scaled(
    features: NDArray[np.floating], centre: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray(np.clip((features - centre) / spread, -FARTHEST, FARTHEST), np.float32)
