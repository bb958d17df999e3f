"""Divides the trainings of a search among its rounds."""

from collections.abc import Sequence

from nas.seeds import derive
from nas.study.config import SearchConfig
from nas.study.trial import Trial

FEWEST_TO_FIT = 8
"""Smallest number of trained candidates on which a predictor is fitted."""

MOST_UNGUIDED = 24
"""Most trainings of the first round, unless a round is longer. A round is recorded only when it is complete."""


def spent(trials: Sequence[Trial]) -> float:
    """Trainings that these trials cost, by their epochs of all phases."""
    return round(sum(trial.cost for trial in trials), 6)


def trainings(trials: Sequence[Trial]) -> int:
    """The same as a whole number, at least 1."""
    return max(1, round(spent(trials)))


def first_round(config: SearchConfig) -> int:
    """Trainings before the first fit: a quarter of the budget, but not more than a predictor needs at first."""
    return min(config.trainings, max(config.round, min(-(-config.trainings // 4), MOST_UNGUIDED), FEWEST_TO_FIT))


def confirmations(config: SearchConfig) -> int:
    """Trainings reserved for training the leaders again; 0 if the budget is too small."""
    return int(config.confirm * config.trainings) if config.trainings >= 10 else 0


def training_seed(seed: int, digest: str, repeat: int) -> int:
    """Seed of one training: depends only on the study, the candidate and the repeat."""
    return derive(seed, "training", digest, repeat) % 2**31
