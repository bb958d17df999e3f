"""The strategy ``guided``: it plans whole rounds, and not only what a round chooses from."""

from collections.abc import Callable, Sequence

import numpy as np

from nas.engine.guided import neighbourhood
from nas.engine.guided.planner import GuidedPlanner
from nas.engine.guided.surrogate import GuidedSurrogate
from nas.engine.network_files import NetworkFiles
from nas.engine.plan import SearchPlan
from nas.engine.pool import Pool
from nas.engine.remaining_time import RemainingTime
from nas.study.trial import Trial
from search_spaces import has_masks


class Guided:
    """Masks that are learned, inherited and evolved, beside architectures."""

    def planner(
        self,
        plan: SearchPlan,
        remaining: RemainingTime,
        clock: Callable[[], float],
        networks: NetworkFiles | None,
    ) -> GuidedPlanner | None:
        """The planner of a search; None if architectures have no masks, so that it has to `fill` pools."""
        if not has_masks(plan.space):
            return None
        return GuidedPlanner(plan, GuidedSurrogate(plan), remaining, clock, networks)

    def fill(
        self, pool: Pool, trials: Sequence[Trial], count: int, *, rng: np.random.Generator, trainings: int
    ) -> None:
        """Neighbours of the best architectures; see `Strategy.fill`."""
        neighbourhood.fill(pool, trials, count, rng=rng, trainings=trainings)
