"""NSGA-III (Deb & Jain 2014) through Optuna: a genetic search for three or more objectives, spread by reference points."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nas.engine.pool import Pool
from nas.engine.strategies import optuna_sampler
from nas.engine.strategies.nsga2 import population_size
from nas.engine.strategies.tpe import LIMIT
from nas.study.trial import Trial

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class NSGA3:
    """Optuna's `NSGAIIISampler`; its population is that of `nsga2`."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """See `Strategy.fill`."""
        optuna_sampler.fill(pool, trials, min(count, LIMIT), rng, partial(_sampler, population_size(trainings)))


def _sampler(size: int, seed: int) -> "BaseSampler":
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import NSGAIIISampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # its interface may change; it has been there since 3.2
        return NSGAIIISampler(population_size=size, seed=seed)
