"""Values of a study's trials as shares from 0 to 1, on which predictors learn."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from nas.engine.acquisition import chebyshev


def of_trials(
    trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection], rng: np.random.Generator
) -> NDArray[np.float64]:
    """How good finished trials are, ``(trials,)``: 1 is best.

    One objective with values in [0, 1], as an accuracy or an error rate has, keeps its values; an error e becomes 1 − e. Other values
    become ranks, so that one diverged loss does not hide the differences between the others. Several objectives become one by a random
    scalarisation (`nas.engine.acquisition.chebyshev`). A trial that breaks one of its constraints counts as the worst.

    Args:
        trials: finished trials; each has a value for each direction.
        directions: directions of the study.
        rng: draws the weights of several objectives.
    """
    if not trials:
        return np.zeros(0)
    signs = np.array([-1.0 if direction == StudyDirection.MAXIMIZE else 1.0 for direction in directions])
    losses = np.array([trial.values for trial in trials], np.float64) * signs
    if losses.shape[1] > 1:
        found = ranked(chebyshev(losses, rng))
    else:
        utility = -losses[:, 0]
        accuracy = utility if signs[0] < 0 else 1 + utility
        found = accuracy if ((accuracy >= 0) & (accuracy <= 1)).all() else ranked(utility)
    broken = np.array([any(excess > 0 for excess in trial.constraints.values()) for trial in trials])
    return np.where(broken, found.min(), found)


def ranked(utility: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of every value ``(values,)`` as a share inside (0, 1); equal values share the mean of their ranks."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(utility) - 0.5) / len(utility), np.float64)
