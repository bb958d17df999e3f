"""The interface of a strategy, and the strategies by name."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from nas.engine.pool import Pool
from nas.errors import PluginError, UsageError
from nas.study.trial import Trial
from onnx_graph import Registry


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


def _fault(found: Any, name: str) -> str:
    return (
        ""
        if isinstance(found, type) and callable(getattr(found, "fill", None))
        else "it must be a class with a method fill"
    )


STRATEGIES: Registry[type[Strategy]] = Registry(
    "strategy",
    {
        "random": "nas.engine.strategies.random_search:RandomSearch",
        "tpe": "nas.engine.strategies.tpe:TPE",
        "nsga2": "nas.engine.strategies.nsga2:NSGA2",
        "evolution": "nas.engine.strategies.regularized_evolution:RegularizedEvolution",
    },
    "nas.strategies",
    fault=_fault,
    unknown=UsageError,
    broken=PluginError,
)


def create(name: str) -> Strategy:
    """The strategy of that name; `UsageError` listing the known ones otherwise, `PluginError` where it cannot be used."""
    return STRATEGIES.load(name)()
