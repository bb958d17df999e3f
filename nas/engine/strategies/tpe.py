"""Tree-structured Parzen estimator (Bergstra et al. 2011) through Optuna, multivariate."""

from collections.abc import Sequence

import numpy as np

from nas.engine.pool import Pool
from nas.engine.strategies import optuna_sampler
from nas.study.trial import Trial

LIMIT = 32
"""Most candidates asked per round: the sampler takes 10 to 100 ms for each, a thousand times longer than a mutation."""


class TPE:
    """Optuna's `TPESampler`."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """See `Strategy.fill`."""
        from optuna.samplers import TPESampler

        optuna_sampler.fill(pool, trials, min(count, LIMIT), rng, lambda seed: TPESampler(seed=seed))
