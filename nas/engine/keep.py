"""How many weights a method is to keep of a network, so that the result meets the constraints."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from nas.measure.costs import COUNTED, counts, measure_all
from nas.study.constraints import Constraint
from search_spaces import Candidate, LearnedMask, MaskRecipe, SearchSpace

UNBOUND = 0.1
"""Share of the weights that is kept where no constraint says how many."""
LEAST = 0.002
"""Smallest share of the weights that is tried where other costs than the non-zeros are bound."""
SMALLEST = 0.02
"""Smallest share of the largest number of weights that is drawn for a front of sizes."""
LARGEST = 0.5
"""Largest share of the weights that is drawn for a front of sizes where no constraint says how many."""
STEPS = 7
"""Halvings of the range of densities."""

Finish = Callable[[ir.Model, Candidate], ir.Model]


class KeepRule:
    """The number of weights that a method keeps under the constraints on costs."""

    def __init__(
        self, space: SearchSpace, bounds: Sequence[Constraint], finish: Finish, *, spread: bool = False
    ) -> None:
        """`finish` turns a network into its exported form; `spread`: draw numbers up to the largest, for a front of sizes."""
        self._space, self._finish, self._spread = space, finish, spread
        self._bounds = [bound for bound in bounds if bound.operator == "<="]
        self._known: dict[str, int | None] = {}
        self._totals: dict[str, int] = {}

    def most(self, dense: Candidate) -> int | None:
        """The largest number of weights of a dense candidate that may be kept; None if no number meets the constraints.

        Costs other than the non-zeros are those of a drawn mask with that number: of the mask to come they are not known yet, and
        checked again after the training.
        """
        if dense.digest not in self._known:
            self._known[dense.digest] = self._most(dense)
        return self._known[dense.digest]

    def drawn(self, dense: Candidate, rng: np.random.Generator | None) -> int | None:
        """The number to keep: the largest, or one below it if there is a front of sizes to find."""
        most = self.most(dense)
        if most is None or rng is None or not self._spread:
            return most
        highest = most if self._bounds else most / UNBOUND * LARGEST
        return max(1, round(highest * float(np.exp(rng.uniform(np.log(SMALLEST), 0.0)))))

    def fits(self, dense: Candidate) -> bool:
        """Whether the whole network meets the constraints on its number of weights."""
        return bool(self._bounds) and (self.most(dense) or 0) >= self._total(dense)

    def _total(self, dense: Candidate) -> int:
        """Number of weights of a dense candidate; built once."""
        if dense.digest not in self._totals:
            self._totals[dense.digest] = int(counts(self._space.build(dense))["weights"])
        return self._totals[dense.digest]

    def _most(self, dense: Candidate) -> int | None:
        total = self._total(dense)
        on_nnz = [bound for bound in self._bounds if bound.metric == "nnz"]
        others = [bound for bound in self._bounds if bound.metric != "nnz"]
        most = min([total, *(int(bound.bound * (total if bound.relative else 1)) for bound in on_nnz)])
        if not self._bounds:
            most = max(1, round(UNBOUND * total))
        if most < 1 or not others or self._meets(dense, most, total, others):
            return most if most >= 1 else None
        low, high = np.log(LEAST * total), np.log(most)
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._meets(dense, round(np.exp(middle)), total, others) else (low, middle)
        keep = max(1, int(np.exp(low)))
        return keep if self._meets(dense, keep, total, others) else None

    def _meets(self, dense: Candidate, keep: int, total: int, bounds: Sequence[Constraint]) -> bool:
        metrics = self.costs(replace(dense, mask=LearnedMask(method="", keep=max(keep, 1))), [b.metric for b in bounds])
        return all(bound.excess(metrics) <= 0 for bound in bounds)

    def costs(self, candidate: Candidate, names: Sequence[str] = ()) -> dict[str, float]:
        """Costs of a candidate whose mask is to be learned: those of a drawn mask, with the non-zeros that the method keeps."""
        mask = candidate.mask
        assert isinstance(mask, LearnedMask)
        total = self._total(replace(candidate, mask=MaskRecipe()))
        stand_in = replace(candidate, mask=MaskRecipe(distribution="erk", density=min(1.0, mask.keep / total)))
        model = self._space.build(stand_in)
        found = counts(model)
        found |= {"nnz": min(mask.keep, total), "density": min(1.0, mask.keep / total)}
        further = [name for name in dict.fromkeys(names) if name not in COUNTED]
        return found | measure_all(further, model, lambda: self._finish(model, stand_in))
