"""How many weights a method is to keep of a network, so that the result meets the constraints.

A method meets a number of non-zeros exactly. What else a learned mask costs, such as the bytes of its file, is known after its training.
It is estimated by a drawn mask that stands in (`StandIn`), corrected by what this run has measured (`CostRatios`).
"""

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from nas.engine.cost_ratios import CostRatios, MaskToLearn, log_ratio
from nas.engine.recent_networks import Builder
from nas.engine.stand_in import StandIn
from nas.measure.costs import COUNTED, counts, measure_all
from nas.study.constraints import Constraint
from nas.study.trial import Trial
from search_spaces import Candidate, LearnedMask, MaskRecipe

EXACT = ("nnz", "density")
"""Costs that a method meets exactly."""
UNBOUND = 0.1
"""Share of the weights that is kept where no constraint says how many."""
SMALLEST = 0.02
"""Smallest share of the largest number of weights that is drawn for a front of sizes."""
LARGEST = 0.5
"""Largest share of the weights that is drawn for a front of sizes where no constraint says how many."""
SHARE = 0.3
"""Share of the weights that the first plans keep where bytes or other costs are bound and no predictor says better."""
AIM = 0.99
"""Share of a bound that an estimated cost may reach. Nearly known costs, such as MACs, would else be above it by a weight or two."""

Finish = Callable[[ir.Model, Candidate], ir.Model]


class KeepRule:
    """The number of weights that a method keeps under the constraints on costs."""

    def __init__(
        self,
        space: Builder,
        bounds: Sequence[Constraint],
        finish: Finish,
        *,
        spread: bool = False,
        further: Sequence[str] = (),
    ) -> None:
        """Nothing is measured yet; `learn` says what is.

        Args:
            space: what builds the networks of the candidates.
            bounds: constraints on costs.
            finish: function that turns a network into its exported form.
            spread: whether to draw numbers up to the largest, for a front of sizes.
            further: names of other costs that are estimated.
        """
        self._space, self._finish, self.spread = space, finish, spread
        self._upper = [bound for bound in bounds if bound.operator == "<="]
        self._lower = [bound for bound in bounds if bound.operator == ">="]
        self._bounds = tuple(bounds)
        names = dict.fromkeys([*(bound.metric for bound in bounds), *further])
        self._further = [name for name in names if name not in COUNTED]
        self._estimated = any(name not in EXACT for name in names)
        self._ratios = CostRatios()
        self._known: dict[tuple[str, str], int | None] = {}
        self._stand_ins: dict[str, StandIn] = {}

    @property
    def estimates(self) -> bool:
        """Whether a bound is on a cost that is only estimated before the training."""
        return any(bound.metric not in EXACT for bound in self._bounds)

    def learn(self, trials: Sequence[Trial]) -> None:
        """Take over what these trials measured, in the place of what was learnt before. Those that broke a bound count too."""
        if self._estimated:
            self._known.clear()
            self._ratios = CostRatios([self._measured(trial) for trial in trials if was_learned(trial)])

    def most(self, dense: Candidate, method: str = "") -> int | None:
        """The largest number of weights of a dense candidate that a method may keep; None if no number meets the constraints."""
        key = dense.digest, method if self.estimates else ""
        if key not in self._known:
            self._known[key] = self._most(dense, method)
        return self._known[key]

    def drawn(self, dense: Candidate, rng: np.random.Generator | None, method: str = "") -> int | None:
        """The number to keep: the largest, or one below it if there is a front of sizes to find."""
        most = self.most(dense, method)
        if most is None or rng is None or not self.spread:
            return most
        highest = most if self._upper else most / UNBOUND * LARGEST
        return max(1, round(highest * float(np.exp(rng.uniform(np.log(SMALLEST), 0.0)))))

    def fits(self, dense: Candidate) -> bool:
        """Whether there are upper bounds and the whole network meets them, and all others."""
        if not self._upper:
            return False
        costs = self._stand_in(dense).costs(0)
        return all(bound.excess(costs) <= 0 for bound in self._bounds)

    def distance(self, candidate: Candidate) -> float:
        """How far the share of the weights that a plan keeps is from `SHARE`, on a logarithmic scale."""
        _, mask = self._plan(candidate)
        return abs(math.log(mask.keep / mask.total / SHARE))

    def revised(self, candidate: Candidate) -> Candidate:
        """The plan with the number of weights that its method may keep by what is known now."""
        mask = candidate.mask
        assert isinstance(mask, LearnedMask)
        keep = self.most(replace(candidate, mask=MaskRecipe()), mask.method)
        return candidate if keep is None else replace(candidate, mask=replace(mask, keep=keep))

    def broken(self, trial: Trial) -> bool:
        """Whether the network of a trial was trained and breaks a constraint on costs."""
        return trial.ticket is not None and any(bound.excess(trial.metrics) > 0 for bound in self._bounds)

    def costs(self, candidate: Candidate) -> dict[str, float]:
        """Estimated costs of a candidate whose mask is to be learned."""
        dense, mask = self._plan(candidate)
        found = self._stand_in(dense).at(mask.keep)
        for name, value in found.items():
            ratio = self._ratios.of(mask, name)
            found[name] = round(value * ratio) if isinstance(value, int) else value * ratio
        keep = min(mask.keep, mask.total)
        return found | {"nnz": keep, "weights": mask.total, "density": keep / mask.total}

    def of_whole(self, candidate: Candidate) -> Mapping[str, float]:
        """Costs of the architecture of a candidate without a mask."""
        return self._stand_in(replace(candidate, mask=MaskRecipe())).costs(0)

    def stand_ins(self, dense: Candidate) -> list[Candidate]:
        """Drawn masks of a dense candidate, from the whole network to the thinnest."""
        stand_in = self._stand_in(dense)
        return [stand_in.candidate(place) for place in range(stand_in.places)]

    def _most(self, dense: Candidate, method: str) -> int | None:
        total = self._total(dense)
        if not self._upper:
            return max(1, round(UNBOUND * total), self._least(dense, method))
        shares = [
            bound.bound * (total if bound.relative or bound.metric == "density" else 1)
            for bound in self._upper
            if bound.metric in EXACT
        ]
        most = min([total, *map(int, shares)])
        others = [bound for bound in self._upper if bound.metric not in EXACT]
        if others and most >= 1:
            most = self._stand_in(dense).most(
                lambda keep: all(self._estimate(dense, method, keep, bound) <= AIM * bound.bound for bound in others),
                most,
            )
        return most if most >= 1 else None

    def _least(self, dense: Candidate, method: str) -> int:
        """The smallest number of weights that meets the lower bounds; all weights if no smaller one does."""
        total = self._total(dense)
        return 1 + bisect.bisect_left(
            range(1, total),
            True,
            key=lambda keep: all(self._estimate(dense, method, keep, bound) >= bound.bound for bound in self._lower),
        )

    def _estimate(self, dense: Candidate, method: str, keep: int, bound: Constraint) -> float:
        """The cost that a bound is on, estimated; density for a share of the dense network."""
        total = self._total(dense)
        if bound.metric in EXACT:
            return keep / total if bound.relative or bound.metric == "density" else keep
        mask = MaskToLearn(method=method, architecture=dense.digest, total=total, keep=keep)
        return self._stand_in(dense).at(keep)[bound.metric] * self._ratios.of(mask, bound.metric)

    def _total(self, dense: Candidate) -> int:
        """Number of weights of a dense candidate."""
        return int(self._stand_in(dense).costs(0)["weights"])

    def _stand_in(self, dense: Candidate) -> StandIn:
        if dense.digest not in self._stand_ins:
            self._stand_ins[dense.digest] = StandIn(self._space, dense, self._costs_of)
        return self._stand_ins[dense.digest]

    def _costs_of(self, model: ir.Model, candidate: Candidate) -> Mapping[str, float]:
        return counts(model) | measure_all(self._further, model, lambda: self._finish(model, candidate))

    def _plan(self, candidate: Candidate) -> tuple[Candidate, MaskToLearn]:
        """The dense network of a plan, and its mask."""
        mask, dense = candidate.mask, replace(candidate, mask=MaskRecipe())
        assert isinstance(mask, LearnedMask)
        return dense, MaskToLearn(
            method=mask.method, architecture=dense.digest, total=self._total(dense), keep=mask.keep
        )

    def _measured(self, trial: Trial) -> tuple[MaskToLearn, dict[str, float]]:
        """A mask that was learned, and the logarithms of its costs' ratios to the stand-in."""
        dense, mask = self._plan(trial.candidate)
        ratios = {
            name: log_ratio(trial.metrics[name], stand_in)
            for name, stand_in in self._stand_in(dense).at(mask.keep).items()
            if name in trial.metrics and name not in (*EXACT, "weights")
        }
        return mask, {name: ratio for name, ratio in ratios.items() if ratio is not None}


def was_learned(trial: Trial) -> bool:
    """Whether the training of a trial found a mask, so that its costs are measured."""
    return trial.ticket is not None and isinstance(trial.candidate.mask, LearnedMask)
