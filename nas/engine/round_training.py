"""Trains the candidates of a round together, stacked if they have the same shapes and the same method."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

import onnx_graph
from nas.engine.budget import training_seed
from nas.engine.executors.executor import Executor
from nas.engine.executors.local import LocalExecutor
from nas.engine.executors.stack import Stack
from nas.engine.inheritance import inherit
from nas.engine.measurer import Training
from nas.engine.network_files import NetworkFiles
from nas.engine.plan import SearchPlan
from nas.engine.planner import RoundPlan
from nas.errors import RunError
from nas.training.methods.method import Method
from nas.training.options import TrainingOptions, TrainingResult
from search_spaces import Candidate, InheritedMask, LearnedMask

CHILD_SHARE = 0.25
"""Length of the training of a child that inherits weights, as a share of a whole training."""


@dataclass(frozen=True, eq=False)
class _Job:
    """A training to be done.

    Attributes:
        key: trainings with equal keys may be stacked.
        density: share of the weights that the method is to keep; None: those that the model has.
    """

    key: str
    model: ir.Model
    seed: int
    method: Method
    density: float | None
    options: TrainingOptions


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains candidates by the plan of a search, several at once.

    Attributes:
        plan: the search.
        networks: trained networks, from which children inherit their weights.
        executor: where the trainings run; None: in this process.
    """

    plan: SearchPlan
    networks: NetworkFiles
    executor: Executor | None = None

    def train_round(self, plan: RoundPlan, method: Method | str) -> list[Training]:
        """Train all candidates of a round, including those that are already recorded.

        Stacked trainings are equal bit for bit only in the same stack, and a resumed run must give the same trials as an
        uninterrupted one.
        """
        candidates = [member.proposal.candidate for member, _ in plan.chosen]
        return self.train(candidates, plan.repeats, method)

    def train(self, candidates: Sequence[Candidate], repeats: Sequence[int], method: Method | str) -> list[Training]:
        """Train each candidate with the seed of its repeat number. Raises any error that is not a failed training.

        `method` trains drawn masks; masks to be learned name their own, and inherited masks stay as they are.
        """
        jobs = [self._job(candidate, repeat, method) for candidate, repeat in zip(candidates, repeats, strict=True)]
        keys = list(dict.fromkeys(job.key for job in jobs))
        parts = [[place for place, job in enumerate(jobs) if job.key == key] for key in keys]
        executor = self.executor or LocalExecutor(self.plan.task)
        found = executor.run([self._stack([jobs[place] for place in part]) for part in parts])
        results = {
            place: one
            for part, several in zip(parts, found, strict=True)
            for place, one in zip(part, several, strict=True)
        }
        return [
            Training(job.seed, job.model, results[place], self._cost(job, results[place]))
            for place, job in enumerate(jobs)
        ]

    def _job(self, candidate: Candidate, repeat: int, method: Method | str) -> _Job:
        from nas.training.methods.registry import create

        search, mask = self.plan, candidate.mask
        model = search.space.build(candidate)
        seed = training_seed(search.config.seed, candidate.digest, repeat)
        if isinstance(mask, LearnedMask):
            chosen = create(mask.method, {name: str(value) for name, value in mask.options.items()})
            density = mask.keep / sum(one.size for one in onnx_graph.masks(model).values())
            options = replace(search.training, epochs=max(1, round(mask.length * search.training.epochs)))
            return _Job(f"{chosen!r} {options.epochs}", model, seed, chosen, density, options)
        if isinstance(mask, InheritedMask):
            static = create("static")
            if not mask.parents:
                return _Job("inherited", model, seed, static, None, search.training)
            model = inherit(model, [self._parent(name) for name in mask.parents])
            epochs = max(1, round(CHILD_SHARE * search.training.epochs))
            return _Job("child", model, seed, static, None, replace(search.training, epochs=epochs, init="keep"))
        plain = create(method) if isinstance(method, str) else method
        return _Job("drawn", model, seed, plain, None, search.training)

    def _parent(self, name: str) -> ir.Model:
        """A trained network whose weights are inherited; `RunError` if it is not kept."""
        path = self.networks.named(name)
        if not path.exists():
            raise RunError(f"{path} is not kept: it holds weights that the candidate inherits")
        return onnx_graph.load(path)

    def _stack(self, jobs: Sequence[_Job]) -> Stack:
        """Jobs of one key as one stack."""
        first = jobs[0]
        learned = first.density is not None
        return Stack(
            models=[job.model for job in jobs],
            seeds=[job.seed for job in jobs],
            method=first.method,
            density=[job.density or 1.0 for job in jobs] if learned else None,
            options=first.options,
            device=self.plan.config.device,
        )

    def _cost(self, job: _Job, result: TrainingResult | Exception) -> float:
        """Epochs in trainings; one that may stop early or that failed counts with the length it could have had, at least as a whole."""
        if isinstance(result, Exception) or job.options.patience is not None:
            return max(1.0, job.options.epochs / self.plan.training.epochs)
        return round(len(result.losses) / self.plan.training.epochs, 4)
