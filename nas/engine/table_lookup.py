"""Looks the candidates of a round up in a table of accuracies, in the place of their trainings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.engine.budget import training_seed
from nas.engine.measurer import Training
from nas.engine.planner import RoundPlan
from nas.tasks.accuracy_table import AccuracyTable
from nas.training.options import TrainingResult
from search_spaces import Candidate

if TYPE_CHECKING:
    from nas.training.methods.method import Method


@dataclass(frozen=True, eq=False)
class TableLookup:
    """A `Measurer` whose results have no weights.

    Attributes:
        table: the accuracies.
        seed: seed of the search.
    """

    table: AccuracyTable
    seed: int

    def train_round(self, plan: RoundPlan, method: "Method | str") -> list[Training]:
        """Look up all candidates of a round."""
        return self.train([member.proposal.candidate for member, _ in plan.chosen], plan.repeats, method)

    def train(self, candidates: Sequence[Candidate], repeats: Sequence[int], method: "Method | str") -> list[Training]:
        """Look up each candidate; `DataError` if the table does not hold it. A repeat has the same accuracy."""
        return [self._found(candidate, repeat) for candidate, repeat in zip(candidates, repeats, strict=True)]

    def _found(self, candidate: Candidate, repeat: int) -> Training:
        seed = training_seed(self.seed, candidate.digest, repeat)
        result = TrainingResult(
            accuracy=float(self.table.validation[self.table.place(candidate)]),
            weights={},
            losses=(),
            accuracies=(),
            dead_units=0,
            seconds=0.0,
            seed=seed,
        )
        return Training(seed, None, result)
