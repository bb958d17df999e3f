"""Training a round: all its candidates at once, stacked where they share a shape."""

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
    """One training that was done.

    Attributes:
        seed: of the training.
        model: the network as it was built; `trained` gives it its trained weights.
        result: what the training gave, or the error that ended it.
    """

    seed: int
    model: ir.Model
    result: TrainingResult | Exception

    def trained(self) -> ir.Model:
        """The network with its trained weights; the error of a failed training is raised."""
        if isinstance(self.result, Exception):
            raise self.result
        onnx_graph.set_weights(self.model, dict(self.result.weights))
        return self.model


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains candidates as the plan of a search says, several at once."""

    plan: SearchPlan

    def train_round(self, plan: RoundPlan, method: Method | str) -> list[Training]:
        """Train all candidates of a round, those that are recorded already too.

        Stacked trainings are only equal to the last bit in the same stack, and a resumed run must end in the same trials
        as an undisturbed one.
        """
        candidates = [member.proposal.candidate for member, _ in plan.chosen]
        return self.train(candidates, plan.repeats, method)

    def train(self, candidates: Sequence[Candidate], repeats: Sequence[int], method: Method | str) -> list[Training]:
        """Train each candidate with the seed of its repeat number. An error that is no failed training is raised."""
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
