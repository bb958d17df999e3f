"""Support: is a network like those that a predictor was fitted on? A distance; above 1 the network is *outside*.

A network is strange if no network of the fit is near it, or if its features lie beyond those of all of them. The first test alone
would miss a network that resembles the others in most features but is far larger than any of them. A network with an operator that
no network of the fit has is strange too, whatever else it is like, and so is one that clearly exceeds the fit in one of
`SINGLE_FEATURES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.single_features import CLEAR, SINGLE_FEATURES, single_columns, single_excess
from predictors.errors import InvalidPredictorError
from predictors.features.matrix import first_columns, matrix_width, operator_columns, structure_width
from predictors.state import array, positive

Floats = NDArray[np.float64]

FALSE_ALARMS = 0.015
"""Share of the networks of the fit that each test with a limit would call outside if they were left out."""
FOLDS = 5
ODD = 3
"""Number of features that may exceed the range of the fit by any amount."""
LEAST = 0.02
"""Distance, in spreads, that is always accepted."""
MOST_ROWS = 800
FARTHEST = 5.0
"""Largest distance, in spreads, that one feature counts: one odd feature must not hide that all others agree."""
ANY = 1e9
"""The limit where the networks are too few to estimate it."""
ONE_OPERATOR = 0.5 * float(np.log(2))
"""A count of operators, as a logarithm of one plus it, is above this if there is at least one."""
NEW_OPERATOR = 2.0
"""Least distance of a network with an operator that no network of the fit has, as a multiple of the largest accepted one."""
FLOOR = 0.05
"""Least spread of a feature, as a share of its centre or of 1: a feature that never varied may vary by so much."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Support:
    """The region of features in which a predictor was fitted.

    Attributes:
        centre, spread: mean and spread of the features, float32 ``(features,)``.
        rows: standardised features of some of the networks, float16 ``(rows, features)``.
        low, high: range of all networks' standardised features, float32 ``(features,)``.
        limit: largest accepted distance to the nearest row.
        reach: largest accepted distance beyond low and high.
        single: largest accepted distance beyond low and high for each of `SINGLE_FEATURES`, float32 ``(4,)``; empty if they are not known.
    """

    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    rows: NDArray[np.float16]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    limit: float
    reach: float
    single: NDArray[np.float32]

    @classmethod
    def of(
        cls, features: NDArray[np.floating], rng: np.random.Generator, group: NDArray[np.int64] | None = None
    ) -> "Support":
        """The support of networks.

        Args:
            features: features of the networks ``(networks, features)``, as `structure_matrix` gives them; equal rows count once.
            rng: generator that chooses the rows.
            group: number of the group of every network ``(networks,)``: networks of one group do not vouch for one another. None: each
                network is a group of its own.
        """
        first = _distinct(features)
        features = features[first]
        group = np.arange(len(features)) if group is None else group[first]
        centre = features.mean(axis=0).astype(np.float32)
        floor = FLOOR * np.maximum(1.0, np.abs(centre))
        spread = np.maximum(features.std(axis=0), floor).astype(np.float32)
        order = rng.permutation(len(features))
        kept = np.sort(order[:MOST_ROWS])
        scaled = _scaled(features, centre, spread)
        rows = _held(scaled[kept]).astype(np.float16)
        # Networks that are not rows are measured against the rows; if every network is a row, each is measured against the rest.
        judged = np.sort(order[MOST_ROWS : 2 * MOST_ROWS]) if len(features) > 2 * MOST_ROWS else kept
        return cls(
            centre=centre,
            spread=spread,
            rows=rows,
            low=scaled.min(axis=0),
            high=scaled.max(axis=0),
            limit=_usual(
                _nearest(_held(scaled[judged]), *_with_squares(rows), apart=group[judged][:, None] == group[kept])
            ),
            reach=_usual(_left_out(scaled[order], group[order], _excess)),
            single=_single_limits(features[order], group[order]),
        )

    @cached_property
    def _wide_rows(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The rows in single precision, ready for products, and their sums of squares."""
        return _with_squares(self.rows)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields, each under ``support_…``."""
        return {f"support_{field.name}": np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Support":
        """The support that `arrays` came from; raises `InvalidPredictorError` if they are damaged."""
        width = array(arrays, "support_centre", "f", (None,)).shape[0]
        rows = array(arrays, "support_rows", "f", (None, width)).astype(np.float16)
        if width != structure_width():
            first_columns(width, matrix_width(), "support")
        if not len(rows):
            raise InvalidPredictorError("saved support is damaged: it has no rows")
        return cls(
            centre=array(arrays, "support_centre", "f", (width,)).astype(np.float32),
            spread=positive(arrays, "support_spread", (width,)).astype(np.float32),
            rows=rows,
            low=array(arrays, "support_low", "f", (width,)).astype(np.float32),
            high=array(arrays, "support_high", "f", (width,)).astype(np.float32),
            limit=float(positive(arrays, "support_limit", ())),  # type: ignore[arg-type]
            reach=float(positive(arrays, "support_reach", ())),  # type: ignore[arg-type]
            single=_saved_single(arrays, width),
        )

    def distances(self, features: NDArray[np.floating]) -> Floats:
        """Distance of networks, ``(networks,)``, as a multiple of the largest accepted one: above 1 they are outside."""
        scaled = _scaled(features[:, : len(self.centre)], self.centre, self.spread)
        near = _nearest(_held(scaled), *self._wide_rows) / self.limit
        beyond = _excess(scaled, self.low, self.high) / self.reach
        new = np.where(self.new_operators(features).any(axis=1), NEW_OPERATOR, 0.0)
        single = self.single_distances(features).max(axis=1, initial=0.0)
        return np.asarray(np.maximum.reduce([near, beyond, new, single]))

    def range(self) -> tuple[Floats, Floats]:
        """Least and largest value of every feature in the fit, float64 ``(features,)`` each."""
        centre, spread = self.centre.astype(np.float64), self.spread.astype(np.float64)
        return self.low * spread + centre, self.high * spread + centre

    def single_distances(self, features: NDArray[np.floating]) -> Floats:
        """Distance of each of `SINGLE_FEATURES` beyond the fit as a multiple of the largest accepted one, ``(networks, 4)``.

        ``(networks, 0)`` if they are not known.
        """
        columns = single_columns(len(self.centre)) if len(self.single) else []
        low, high = self.range()
        return single_excess(features[:, columns], low[columns], high[columns]) / self.single

    def new_operators(self, features: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Classes of operators that networks have and no network of the fit has, ``(networks, classes)``; no class if that is not known."""
        columns = operator_columns()
        if len(self.centre) < columns.stop:
            return np.zeros((len(features), 0), np.bool_)
        _, most = self.range()
        return np.asarray((features[:, columns] > ONE_OPERATOR) & (most[columns] < ONE_OPERATOR))


def _usual(distances: Floats) -> float:
    """The distance that only a few of the networks themselves exceed."""
    return max(float(np.quantile(distances, 1 - FALSE_ALARMS)), LEAST) if len(distances) > 2 else ANY


def _single_limits(features: NDArray[np.floating], group: NDArray[np.int64]) -> NDArray[np.float32]:
    """Largest accepted distance for each of `SINGLE_FEATURES`; networks in random order."""
    columns = single_columns(features.shape[1])
    left_out = _left_out(features[:, columns], group, single_excess) if columns else np.zeros((0, 0))
    return np.array([max(_usual(distances), CLEAR) for distances in left_out.T], np.float32)


def _saved_single(arrays: Mapping[str, NDArray[np.generic]], width: int) -> NDArray[np.float32]:
    """The limits of `SINGLE_FEATURES`; empty for predictors that were saved before there were such limits."""
    if "support_single" not in arrays:
        return np.zeros(0, np.float32)
    count = len(SINGLE_FEATURES) if single_columns(width) else 0
    return np.asarray(positive(arrays, "support_single", (count,)), np.float32)


def _distinct(features: NDArray[np.floating]) -> NDArray[np.int64]:
    """Positions of the first of all equal rows, in order."""
    found: dict[bytes, int] = {}
    for place, row in enumerate(np.ascontiguousarray(features)):
        found.setdefault(row.tobytes(), place)
    return np.array(list(found.values()), np.int64)


def _with_squares(rows: NDArray[np.float16]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    single = rows.astype(np.float32)
    return single, (single**2).sum(axis=1)


def _nearest(
    scaled: NDArray[np.float32],
    rows: NDArray[np.float32],
    row_squares: NDArray[np.float32],
    *,
    apart: NDArray[np.bool_] | None = None,
) -> Floats:
    """Root mean squared difference to the nearest row over the features, in spreads; pairs that are `apart` are not compared.

    A network without a row that it is compared with has no distance and is missing.
    """
    squares = (scaled**2).sum(axis=1)[:, None] + row_squares - 2 * scaled @ rows.T
    if apart is not None:
        squares = np.where(apart, np.inf, squares)
    nearest = squares.min(axis=1, initial=np.inf).astype(np.float64)
    nearest = nearest[np.isfinite(nearest)] if apart is not None else nearest
    return np.asarray(np.sqrt(np.maximum(nearest, 0.0) / max(rows.shape[1], 1)))


def _excess(scaled: NDArray[np.floating], low: NDArray[np.floating], high: NDArray[np.floating]) -> Floats:
    """Root mean square distance of the features beyond the range of the fit, in spreads; the few farthest features are ignored."""
    beyond = np.maximum(low - scaled, scaled - high).clip(0.0, FARTHEST).astype(np.float64)
    squares = np.sort(beyond**2, axis=1)[:, : max(beyond.shape[1] - ODD, 1)]
    return np.asarray(np.sqrt(squares.sum(axis=1) / beyond.shape[1]))


def _left_out(
    features: NDArray[np.floating],
    group: NDArray[np.int64],
    excess: Callable[[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]], Floats],
) -> Floats:
    """Distances of every network beyond the range of the others, computed for a fifth of the groups at a time."""
    numbers = list(dict.fromkeys(group.tolist()))
    fold = {number: place * min(FOLDS, len(numbers)) // len(numbers) for place, number in enumerate(numbers)}
    fold_of = np.array([fold[number] for number in group.tolist()], np.int64)
    parts = [features[fold_of == place] for place in np.unique(fold_of)]
    found = [excess(features[:0], features[0], features[0])]
    for place, part in enumerate(parts):
        others = [other for number, other in enumerate(parts) if number != place]
        if others:
            low = np.min([other.min(axis=0) for other in others], axis=0)
            high = np.max([other.max(axis=0) for other in others], axis=0)
            found.append(excess(part, low, high))
    return np.concatenate(found)


def _scaled(
    features: NDArray[np.floating], centre: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray((features - centre) / spread, np.float32)


def _held(scaled: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(scaled, -FARTHEST, FARTHEST)
