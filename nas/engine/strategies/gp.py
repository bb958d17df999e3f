"""Bayesian optimisation with a Gaussian process (Snoek, Larochelle & Adams 2012) through Optuna.

The process is over the genes that all measured candidates have; the others are drawn at random, as Optuna does. Seeds are drawn too: near
ones are not alike, and Optuna's sampler lists all values of a whole number, which takes 16 GiB for a seed of 31 bits.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from optuna.distributions import BaseDistribution, IntDistribution

from nas.engine.pool import Pool
from nas.engine.strategies import optuna_sampler
from nas.study.trial import Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

LIMIT = 16
"""Most candidates asked per round: the sampler fits its process for each, which takes a second or more."""
WIDEST = 2**12
"""A whole number with a wider range is a seed."""


class GP:
    """Optuna's `GPSampler`, without seeds."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """See `Strategy.fill`."""
        optuna_sampler.fill(pool, trials, min(count, LIMIT), rng, _sampler)


def is_seed(range_: BaseDistribution) -> bool:
    """Whether a gene is a whole number of a range so wide that near values cannot be alike."""
    return isinstance(range_, IntDistribution) and range_.high - range_.low > WIDEST


def _sampler(seed: int) -> "BaseSampler":
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # its interface may change; it has been there since 3.6
        return _seedless()(seed)


@cache
def _seedless() -> "Callable[[int], BaseSampler]":
    """Makes the sampler from its seed; Optuna loads it slowly."""
    from optuna.samplers import GPSampler

    class SeedlessGPSampler(GPSampler):
        """`GPSampler` that leaves seeds to its independent sampler."""

        def infer_relative_search_space(self, study: "Study", trial: "FrozenTrial") -> dict[str, BaseDistribution]:
            """The genes that all trials have, without seeds."""
            found = super().infer_relative_search_space(study, trial)
            return {name: range_ for name, range_ in found.items() if not is_seed(range_)}

    return lambda seed: SeedlessGPSampler(seed=seed)
