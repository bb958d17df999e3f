"""How the trainings of a search are divided among its rounds."""

from nas.seeds import derive
from nas.study.config import SearchConfig

FEWEST_TO_FIT = 8
"""Trained candidates below which no predictor is fitted."""

MOST_UNGUIDED = 24
"""Most trainings of the first round, unless a round is longer: a round is recorded only when it is done."""


def first_round(config: SearchConfig) -> int:
    """Trainings before the first fit: a quarter of the budget, but no more than a predictor needs to begin with."""
    return min(config.trainings, max(config.round, min(-(-config.trainings // 4), MOST_UNGUIDED), FEWEST_TO_FIT))


def confirmations(config: SearchConfig) -> int:
    """Trainings kept for training the leaders again; none where the budget is too small to spare any."""
    return int(config.confirm * config.trainings) if config.trainings >= 10 else 0


def training_seed(seed: int, digest: str, repeat: int) -> int:
    """Seed of one training: depends on the study, the candidate and the repeat, on nothing else."""
    return derive(seed, "training", digest, repeat) % 2**31
