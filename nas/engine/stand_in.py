"""Drawn masks that stand in for a mask that is still to be learned: costs of a network by the number of weights that are kept.

A thin drawn mask loses many of its weights, because they lead nowhere; a method keeps weights that are connected. So a stand-in counts
with its number of live weights. Methods leave whole units without weights, more than a draw does. Therefore the file of a learned mask
is smaller than that of its stand-in: on digits by a factor of 1 to 4.
"""

import bisect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from nas.engine.recent_networks import Builder
from search_spaces import Candidate, MaskRecipe

STEP = 0.25
"""Ratio of the densities of two stand-ins that follow each other. Each takes some ten milliseconds to build, export and measure."""


@dataclass(eq=False)
class StandIn:
    """Drawn masks of one architecture, from dense to a single weight, each built and measured when it is needed.

    Attributes:
        space: space that builds the networks.
        dense: the architecture without a mask.
        measure: returns the costs of a network by name; ``nnz`` is one of them.
    """

    space: Builder
    dense: Candidate
    measure: Callable[[ir.Model, Candidate], Mapping[str, float]]
    _costs: dict[int, Mapping[str, float]] = field(default_factory=dict)

    def candidate(self, place: int) -> Candidate:
        """The architecture with the mask at a place, the dense one at 0."""
        return replace(self.dense, mask=MaskRecipe(distribution="erk", density=STEP**place) if place else MaskRecipe())

    def costs(self, place: int) -> Mapping[str, float]:
        """Costs of the network with the mask at a place."""
        if place not in self._costs:
            candidate = self.candidate(place)
            self._costs[place] = self.measure(self.space.build(candidate), candidate)
        return self._costs[place]

    @property
    def places(self) -> int:
        """Number of places; the mask at the last one keeps about one weight."""
        return 1 + math.ceil(math.log(max(self.costs(0)["weights"], 1)) / -math.log(STEP))

    def most(self, meets: Callable[[int], bool], limit: int) -> int:
        """The largest number of weights up to `limit` that meets a condition which fewer weights meet too; 0 if none does."""
        place = bisect.bisect_left(range(self.places - 1), True, key=lambda place: meets(self._live(place, limit)))
        least, most = self._live(place, limit), self._live(max(place - 1, 0), limit)
        if not meets(max(least, 1)):
            least, most = 1, least
        return least - 1 + bisect.bisect_left(range(least, most + 1), True, key=lambda keep: not meets(keep))

    def _live(self, place: int, limit: int) -> int:
        """Number of live weights at a place, at least 1 and at most `limit`."""
        return min(limit, max(1, int(self.costs(place)["nnz"])))

    def at(self, keep: int) -> dict[str, float]:
        """Costs with `keep` live weights, between the two nearest stand-ins."""
        thinner = bisect.bisect_left(range(self.places - 1), True, key=lambda place: self.costs(place)["nnz"] <= keep)
        if thinner == 0:
            return dict(self.costs(0))
        few, many = self.costs(thinner), self.costs(thinner - 1)
        return {name: _between(keep, few["nnz"], many["nnz"], few[name], many[name]) for name in few}


def _between(keep: int, few: float, many: float, low: float, high: float) -> float:
    """The cost with `keep` weights, by a line through that with `few` and with `many`; by logarithms where all are above 0."""
    logs = min(few, low, high) > 0
    start, middle, end = (math.log(one) if logs else one for one in (few, keep, many))
    share = min(1.0, max(0.0, (middle - start) / (end - start))) if end > start else 0.0
    value = low * (high / low) ** share if logs else low + (high - low) * share
    return round(value) if isinstance(low, int) and isinstance(high, int) else value
