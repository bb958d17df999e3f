"""What measures the candidates of a search: trainings (`Trainer`), or a table of earlier measurements (`TableLookup`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import onnx_ir as ir

import onnx_graph
from nas.engine.planner import RoundPlan
from nas.errors import RunError
from nas.training.options import TrainingResult
from search_spaces import Candidate

if TYPE_CHECKING:
    from nas.training.methods.method import Method


@dataclass(frozen=True, eq=False)
class Training:
    """One finished measurement.

    Attributes:
        seed: seed of the training.
        model: untrained network; `trained` returns it with its trained weights. None if the result was looked up.
        result: result of the training, or the error that ended it.
        cost: epochs of all phases, in trainings of the search's length.
    """

    seed: int
    model: ir.Model | None
    result: TrainingResult | Exception
    cost: float = 1.0

    def trained(self) -> ir.Model:
        """The network with its trained weights; raises the error of a failed training, and `RunError` if nothing was trained."""
        if isinstance(self.result, Exception):
            raise self.result
        if self.model is None:
            raise RunError("the accuracy was looked up in a table: there is no trained network")
        onnx_graph.set_weights(self.model, dict(self.result.weights))
        return self.model


class Measurer(Protocol):
    """Measures candidates."""

    def train_round(self, plan: RoundPlan, method: "Method | str") -> list[Training]:
        """Measure all candidates of a round, including those that are already recorded."""

    def train(self, candidates: Sequence[Candidate], repeats: Sequence[int], method: "Method | str") -> list[Training]:
        """Measure each candidate with the seed of its repeat number. Raises any error that is not a failed training."""
