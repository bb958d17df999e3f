"""Random search (Bergstra & Bengio 2012): every candidate drawn anew from the space."""

from collections.abc import Sequence

import numpy as np

from nas.engine.pool import Pool
from nas.engine.strategies.strategy import patience
from nas.study.trial import Proposal, Trial


class RandomSearch:
    """Independent draws; the baseline of all other strategies."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """See `Strategy.fill`."""
        while len(pool) < count and pool.refused < patience(count):
            pool.offer(Proposal(candidate=pool.space.sample(rng)))
