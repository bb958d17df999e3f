"""The scale on which accuracy is learnt: ``−log(1.02 − accuracy)``, so that .98 → .99 counts as much as .90 → .94.

The .02 keeps a perfect accuracy finite and stops a few hundred test examples' noise near 1 from ruling the fit.
"""

import numpy as np
from numpy.typing import NDArray

CEILING = 1.02
LOWEST, HIGHEST = -np.log(CEILING), -np.log(CEILING - 1)


def to_target(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Accuracies in [0, 1] on the learning scale, increasing."""
    return np.asarray(-np.log(CEILING - accuracies), np.float64)


def accuracy_of(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Back to accuracies, clipped to [0, 1]."""
    errors = np.exp(-np.clip(targets, LOWEST, HIGHEST))
    return np.asarray(np.clip(CEILING - errors, 0.0, 1.0), np.float64)
