"""Trains the candidates of a round together, stacked if they have the same shapes."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

import onnx_graph
from nas.engine.budget import training_seed
from nas.engine.plan import SearchPlan
from nas.engine.planner import RoundPlan
from nas.errors import NasError
from nas.training.methods.method import Method
from nas.training.options import TrainingResult
from search_spaces import Candidate


@dataclass(frozen=True, eq=False)
class Training:
    """One finished training.

    Attributes:
        seed: seed of the training.
        model: untrained network; `trained` returns it with its trained weights.
        result: result of the training, or the error that ended it.
    """

    seed: int
    model: ir.Model
    result: TrainingResult | Exception

    def trained(self) -> ir.Model:
        """The network with its trained weights; raises the error of a failed training."""
        if isinstance(self.result, Exception):
            raise self.result
        onnx_graph.set_weights(self.model, dict(self.result.weights))
        return self.model


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains candidates by the plan of a search, several at once."""

    plan: SearchPlan

    def train_round(self, plan: RoundPlan, method: Method | str) -> list[Training]:
        """Train all candidates of a round, including those that are already recorded.

        Stacked trainings are equal bit for bit only in the same stack, and a resumed run must give the same trials as an
        uninterrupted one.
        """
        candidates = [member.proposal.candidate for member, _ in plan.chosen]
        return self.train(candidates, plan.repeats, method)

    def train(self, candidates: Sequence[Candidate], repeats: Sequence[int], method: Method | str) -> list[Training]:
        """Train each candidate with the seed of its repeat number. Raises any error that is not a failed training."""
        from nas.training.population import train_population

        search = self.plan
        models = [search.space.build(candidate) for candidate in candidates]
        seeds = [
            training_seed(search.config.seed, candidate.digest, repeat)
            for candidate, repeat in zip(candidates, repeats, strict=True)
        ]
        results = train_population(
            models, search.task, search.training, seeds=seeds, method=method, device=search.config.device
        )
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, NasError | onnx_graph.GraphError):
                raise result
        return [Training(*parts) for parts in zip(seeds, models, results, strict=True)]
