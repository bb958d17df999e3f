"""Features that every user knows, such as the number of inputs. Each of them alone can put a network *outside*.

All of them are logarithms. A network may lie beyond the range of the fit by a factor of three, or by as much as the networks of the
fit do when their architectures are left out. In the corpus, no network does so by a factor of three. If one task is left out, a factor
of three puts only the Reber sequences outside (147 outputs, at most 10 elsewhere); a factor of two the digits too (64 inputs, at least
147 elsewhere).
"""

import numpy as np
from numpy.typing import NDArray

from predictors.features.matrix import summary_place

Floats = NDArray[np.float64]

SINGLE_FEATURES = ("log_inputs", "log_outputs", "log_effective_nnz", "task_log_samples")
CLEAR = float(np.log(3.0))
"""Least distance beyond the range of the fit that can put a network outside."""
_FROM_TASK = np.array([name.startswith("task_") for name in SINGLE_FEATURES])


def single_columns(width: int) -> list[int]:
    """Columns of `SINGLE_FEATURES` among the first `width` columns of `matrix`; none if one of them is missing."""
    places = [summary_place(name) for name in SINGLE_FEATURES]
    return places if max(places) < width else []


def single_excess(values: NDArray[np.floating], low: NDArray[np.floating], high: NDArray[np.floating]) -> Floats:
    """How far each value lies beyond the range, ``(networks, features)``; 0 for a task that the network or the fit does not tell."""
    beyond = np.maximum(low - values, values - high).clip(0.0).astype(np.float64)
    told = ~_FROM_TASK[: values.shape[1]] | ((values > 0) & (low > 0))
    return np.where(told, beyond, 0.0)
