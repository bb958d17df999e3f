"""What each trained network is expected to reach on new examples, estimated from all that a run has measured.

The validation metric of one network moves with the few examples that it is measured on, and the best of many networks was partly lucky. The
metric on the training split hardly moves, but says too much. So a line through all networks of the run tells the one from the other, and
each network lies between the line and its own measurement, by the noise of both (Fay and Herriot 1979, doi:10.1080/01621459.1979.10482505).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.engine.plan import SearchPlan
from nas.study.trial import Trial

Floats = NDArray[np.float64]

FEWEST = 6
"""Fewest networks for a line; below, each is expected to reach what it was measured to."""
SLOPE, SLOPE_STD = 1.0, 0.5
"""What is believed of the line's slope, on the scale of log-odds, before anything is measured."""
SPREAD, WEIGHT = 0.2, 10.0
"""Spread of networks about the line in log-odds, believed before anything is measured, and for how many networks this belief counts."""
ROUNDS = 10
"""The line and the spread are found in turn."""


def expected(plan: SearchPlan, trials: Sequence[Trial]) -> dict[int, float]:
    """The metric that each network is expected to reach, by the number of its trial.

    Empty where the metric is not a share, or where no metric on the training split is known.
    """
    metric = plan.metric
    known = [trial for trial in trials if trial.accuracy is not None and trial.train_accuracy is not None]
    if (metric.low, metric.high, metric.direction) != (0.0, 1.0, "maximize") or len(known) < FEWEST:
        return {}
    measured = np.array([trial.accuracy for trial in known], np.float64)
    trained = np.array([trial.train_accuracy for trial in known], np.float64)
    found = between(measured, trained, len(plan.task.validation))
    return {trial.number: float(value) for trial, value in zip(known, found, strict=True)}


def between(measured: Floats, trained: Floats, examples: int) -> Floats:
    """Shares that networks are expected to reach ``(networks,)``, each between its own measurement and what the others say.

    Args:
        measured: shares of right answers on the validation split ``(networks,)``.
        trained: shares on the training split ``(networks,)``.
        examples: number of validation examples.
    """
    least = 0.5 / examples
    x, y = _log_odds(trained, least), _log_odds(measured, least)
    design = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    belief = np.array([0.0, SLOPE_STD**-2])
    spread, noise = SPREAD**2, _noise(measured, examples, least)
    line = y
    for _ in range(ROUNDS):
        weighted = design / (spread + noise)[:, None]
        found = np.linalg.solve(weighted.T @ design + np.diag(belief), weighted.T @ y + belief * SLOPE)
        line = design @ found
        noise = _noise(1 / (1 + np.exp(-line)), examples, least)
        upper = line >= np.median(line)
        excess = max(0.0, float(np.sum((y - line)[upper] ** 2 - noise[upper])))
        spread = (excess + WEIGHT * SPREAD**2) / (int(upper.sum()) + WEIGHT)
    mean = (line / spread + y / noise) / (1 / spread + 1 / noise)
    return np.asarray(1 / (1 + np.exp(-mean)), np.float64)


def _log_odds(share: Floats, least: float) -> Floats:
    inside = np.clip(share, least, 1 - least)
    return np.asarray(np.log(inside / (1 - inside)), np.float64)


def _noise(share: Floats, examples: int, least: float) -> Floats:
    """Variance of the log-odds of a share that is measured on so many examples."""
    inside = np.clip(share, least, 1 - least)
    return 1 / (examples * inside * (1 - inside))
