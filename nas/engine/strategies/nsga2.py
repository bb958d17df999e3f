"""NSGA-II (Deb et al. 2002) through Optuna: a genetic search for several objectives."""

from collections.abc import Sequence

import numpy as np

from nas.engine.pool import Pool
from nas.engine.strategies import optuna_sampler
from nas.engine.strategies.tpe import LIMIT
from nas.study.trial import Trial


class NSGA2:
    """Optuna's `NSGAIISampler`, its population sized so that a search sees several generations."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """See `Strategy.fill`."""
        from optuna.samplers import NSGAIISampler

        size = population_size(trainings)
        optuna_sampler.fill(
            pool, trials, min(count, LIMIT), rng, lambda seed: NSGAIISampler(population_size=size, seed=seed)
        )


def population_size(trainings: int) -> int:
    """A population with which a search of so many trainings sees several generations."""
    return max(4, min(50, trainings // 5))
