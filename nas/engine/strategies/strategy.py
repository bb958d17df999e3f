"""The interface of a strategy and the table of names."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, cast

import numpy as np

from nas.engine.pool import Pool
from nas.names import require
from nas.study.trial import Trial

STRATEGIES: Mapping[str, str] = {
    "random": "nas.engine.strategies.random_search:RandomSearch",
    "tpe": "nas.engine.strategies.tpe:TPE",
    "nsga2": "nas.engine.strategies.nsga2:NSGA2",
    "evolution": "nas.engine.strategies.regularized_evolution:RegularizedEvolution",
}
"""Name → ``module:class``. Third parties add theirs through the entry points ``nas.engine.strategies``."""


class Strategy(Protocol):
    """Fills the pool of a round. Stateless: everything it knows is in the trials, so a resumed search goes on the same way."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """Offer candidates until the pool holds `count`, or until too many were refused.

        Args:
            pool: takes the offers; its fitness can guide them.
            trials: all earlier ones, measured.
            count: wanted size of the pool.
            rng: of this round.
            trainings: how many trainings the whole search has, to size populations by.
        """


def patience(count: int) -> int:
    """Refusals after which a strategy gives up filling: a small space may simply have no more candidates."""
    return 20 * count + 200


def create(name: str) -> Strategy:
    """The strategy of that name; `UsageError` listing the known ones otherwise."""
    table = dict(STRATEGIES) | {entry.name: entry.value for entry in entry_points(group="nas.engine.strategies")}
    module, _, attribute = table[require("strategy", name, table)].partition(":")
    return cast(Strategy, getattr(import_module(module), attribute)())
