"""How many weights a method is to keep of a network, so that the result meets the constraints."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from nas.measure.costs import COUNTED, counts, measure_all
from nas.study.constraints import Constraint
from search_spaces import Candidate, LearnedMask, MaskRecipe, SearchSpace

EXACT = ("nnz", "density")
"""Costs that a method meets exactly. Bytes or milliseconds of a mask that is still to be learned are known after its training only."""
UNBOUND = 0.1
"""Share of the weights that is kept where no constraint says how many."""
SMALLEST = 0.02
"""Smallest share of the largest number of weights that is drawn for a front of sizes."""
LARGEST = 0.5
"""Largest share of the weights that is drawn for a front of sizes where no constraint says how many."""

Finish = Callable[[ir.Model, Candidate], ir.Model]


class KeepRule:
    """The number of weights that a method keeps under the constraints on non-zeros and density."""

    def __init__(
        self, space: SearchSpace, bounds: Sequence[Constraint], finish: Finish, *, spread: bool = False
    ) -> None:
        """Upper bounds on other costs than `EXACT` have no effect here.

        Args:
            space: space of the candidates.
            bounds: constraints on costs.
            finish: function that turns a network into its exported form.
            spread: whether to draw numbers up to the largest, for a front of sizes.
        """
        self._space, self._finish, self._spread = space, finish, spread
        self._bounds = [bound for bound in bounds if bound.operator == "<=" and bound.metric in EXACT]
        self._known: dict[str, int | None] = {}
        self._totals: dict[str, int] = {}

    def most(self, dense: Candidate) -> int | None:
        """The largest number of weights of a dense candidate that may be kept; None if no number meets the constraints."""
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
        shares = [bound.bound * (total if bound.relative or bound.metric == "density" else 1) for bound in self._bounds]
        most = min([total, *map(int, shares)]) if shares else max(1, round(UNBOUND * total))
        return most if most >= 1 else None

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
