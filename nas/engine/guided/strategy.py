"""The strategy ``guided``: it plans whole rounds, and not only what a round chooses from."""

from collections.abc import Callable

from nas.engine.guided.planner import GuidedPlanner
from nas.engine.guided.surrogate import GuidedSurrogate
from nas.engine.plan import SearchPlan
from nas.engine.remaining_time import RemainingTime


class Guided:
    """Masks that are learned, inherited and evolved, beside architectures."""

    def planner(self, plan: SearchPlan, remaining: RemainingTime, clock: Callable[[], float]) -> GuidedPlanner:
        """The planner of a search."""
        return GuidedPlanner(plan, GuidedSurrogate(plan), remaining, clock)
