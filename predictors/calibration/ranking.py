"""How well predictions rank and match measurements, overall and inside cells, and the ceiling that training noise sets.

Rank correlations of a constant are 0 here (scipy gives NaN): a predictor that cannot tell two networks apart ranks nothing.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


def kendall(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Kendall's τ-b in [−1, 1]; 0 where either side is constant or has fewer than two values."""
    from scipy.stats import kendalltau

    first, second = _pair(measured, predicted)
    return 0.0 if _constant(first) or _constant(second) else float(kendalltau(first, second).statistic)


def spearman(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's ρ in [−1, 1]; 0 where either side is constant or has fewer than two values."""
    from scipy.stats import spearmanr

    first, second = _pair(measured, predicted)
    return 0.0 if _constant(first) or _constant(second) else float(spearmanr(first, second).statistic)


def r2(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Share of the variance explained, ≤ 1, negative if worse than the mean; constant measurements give 0 (1 if met exactly)."""
    first, second = _pair(measured, predicted)
    left, total = float(np.sum((first - second) ** 2)), float(np.sum((first - first.mean()) ** 2))
    if _constant(first):
        return float(left == 0.0)
    return 1.0 - left / total


def rmse(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Root mean squared error, in the unit of the measurements."""
    first, second = _pair(measured, predicted)
    return float(np.sqrt(np.mean((first - second) ** 2)))


def kendall_inside(measured: ArrayLike, predicted: ArrayLike, cells: Sequence[Hashable]) -> float:
    """Kendall's τ-b among the networks of one cell, averaged over the cells weighted by their pairs.

    Differences between tasks or densities do not count here. Cells with one network, or with equal measurements, have nothing to rank
    and are ignored; NaN if no cell remains.
    """
    return _inside(kendall, measured, predicted, cells)


def spearman_inside(measured: ArrayLike, predicted: ArrayLike, cells: Sequence[Hashable]) -> float:
    """Like `kendall_inside`, with Spearman's ρ."""
    return _inside(spearman, measured, predicted, cells)


def _inside(
    statistic: Callable[[ArrayLike, ArrayLike], float],
    measured: ArrayLike,
    predicted: ArrayLike,
    cells: Sequence[Hashable],
) -> float:
    first, second = _pair(measured, predicted)
    if len(cells) != len(first):
        raise ValueError(f"{len(first)} measurements but {len(cells)} cells")
    groups: dict[Hashable, list[int]] = {}
    for row, cell in enumerate(cells):
        groups.setdefault(cell, []).append(row)
    ranked = [rows for rows in groups.values() if not _constant(first[rows])]
    if not ranked:
        return float("nan")
    pairs = [len(rows) * (len(rows) - 1) for rows in ranked]
    return float(np.average([statistic(first[rows], second[rows]) for rows in ranked], weights=pairs))


@dataclass(frozen=True, kw_only=True)
class NoiseCeiling:
    """The agreement of two trainings of the same networks: no predictor of one training's accuracy can be expected to do better.

    Attributes:
        tau: Kendall's τ between the two trainings.
        tau_inside: the same inside cells; NaN without cells.
        r2: squared correlation a perfect predictor reaches against one training (Pearson's r between the trainings).
        r2_of_mean: the same against the mean of both trainings (Spearman–Brown: ``2r / (1 + r)``).
    """

    tau: float
    tau_inside: float
    r2: float
    r2_of_mean: float


def noise_ceiling(first: ArrayLike, second: ArrayLike, cells: Sequence[Hashable] | None = None) -> NoiseCeiling:
    """The ceiling from two trainings (other seed) of every network, ``(networks,)`` each."""
    one, two = _pair(first, second)
    correlation = 0.0 if _constant(one) or _constant(two) else max(0.0, float(np.corrcoef(one, two)[0, 1]))
    inside = float("nan") if cells is None else kendall_inside(one, two, cells)
    return NoiseCeiling(
        tau=kendall(one, two), tau_inside=inside, r2=correlation, r2_of_mean=2 * correlation / (1 + correlation)
    )


def attainable_tau(agreement: float, trainings: float = 1.0) -> float:
    """The τ of a perfect predictor against the mean of `trainings` trainings, if two single trainings agree with τ `agreement`.

    For normally distributed values a τ belongs to a correlation (Greiner's relation, r = sin(πτ/2)). The correlation of two trainings
    is the reliability of one; Spearman–Brown gives the reliability of their mean, and its root is the correlation with the truth. At
    most 1; 0 where trainings do not agree at all.
    """
    if not agreement > 0:
        return float("nan") if agreement != agreement else 0.0
    single = float(np.sin(np.pi * min(agreement, 1.0) / 2))
    mean = trainings * single / (1 + (trainings - 1) * single)
    return float(2 / np.pi * np.arcsin(min(np.sqrt(mean), 1.0)))


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != two.shape:
        raise ValueError(f"need two vectors of one length, got shapes {one.shape} and {two.shape}")
    return one, two


def _constant(values: NDArray[np.float64]) -> bool:
    return len(values) < 2 or bool(np.all(values == values[0]))
