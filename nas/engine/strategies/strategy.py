"""The interface of a strategy, and the strategies by name."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from nas.engine.pool import Pool
from nas.errors import PluginError, UsageError
from nas.study.trial import Trial
from onnx_graph import Registry


class Strategy(Protocol):
    """Fills the pool of a round. It has no state: it knows only the trials, so a resumed search continues in the same way."""

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """Offer candidates until the pool holds `count` candidates or too many were refused.

        Args:
            pool: pool that accepts or refuses the offers; its fitness can guide the strategy.
            trials: all earlier trials with their measurements.
            count: wanted size of the pool.
            rng: random generator of this round.
            trainings: number of trainings of the whole search, which sets population sizes.
        """


def patience(count: int) -> int:
    """Refusals after which a strategy stops filling: a small space may have no more candidates."""
    return 20 * count + 200


def _fault(found: Any, name: str) -> str:
    able = isinstance(found, type) and any(callable(getattr(found, act, None)) for act in ("fill", "planner"))
    return "" if able else "it must be a class with a method fill"


STRATEGIES: Registry[type[Strategy]] = Registry(
    "strategy",
    {
        "random": "nas.engine.strategies.random_search:RandomSearch",
        "tpe": "nas.engine.strategies.tpe:TPE",
        "gp": "nas.engine.strategies.gp:GP",
        "nsga2": "nas.engine.strategies.nsga2:NSGA2",
        "nsga3": "nas.engine.strategies.nsga3:NSGA3",
        "cma-es": "nas.engine.strategies.cma_es:CMAES",
        "local": "nas.engine.strategies.local_search:LocalSearch",
        "guided": "nas.engine.guided.strategy:Guided",
        "evolution": "nas.engine.strategies.regularized_evolution:RegularizedEvolution",
    },
    "nas.strategies",
    fault=_fault,
    unknown=UsageError,
    broken=PluginError,
)


def create(name: str) -> Strategy:
    """The strategy with this name; `UsageError` lists the known names, `PluginError` if the strategy cannot be used."""
    return STRATEGIES.load(name)()
