"""After a search on a subset: goes on training chosen networks on the whole training split, with their masks and from their own weights.

The whole validation split says whether it helped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import onnx_ir as ir

from nas.conclusion.retraining import Retrained
from nas.engine.executors.stack import Stack
from nas.engine.plan import SearchPlan, data_of
from nas.engine.search_loop import Engine
from nas.seeds import derive
from nas.tasks.task import Task
from nas.training.options import TrainingResult
from nas.training.trained import apply_result


@dataclass(frozen=True, eq=False)
class Finisher:
    """Goes on training the networks of a run."""

    engine: Engine

    @cached_property
    def task(self) -> Task | None:
        """See `whole`; None also where no further trainings are wanted."""
        return whole(self.engine.plan) if self.engine.plan.config.finish else None

    def finished(self, found: Retrained) -> Retrained:
        """The networks after further trainings on the whole training split if they are better then, else as they were found.

        Better is a better mean metric on the whole validation split. A network whose training fails stays as it was.
        """
        plan, task = self.engine.plan, self.task
        if task is None:
            return found
        count = plan.config.finish or 0
        before = np.array(_metrics(found.models, task, plan.config.device))
        start = self.engine.clock()
        several = further(plan, task, found.models, [result.seed for result in found.results])
        self.engine.remaining.count_plain(count * len(found.models), self.engine.clock() - start)
        after = np.array([old if one is None else one[1].accuracy for one, old in zip(several, before, strict=True)])
        found = replace(found, before=float(before.mean()), after=float(after.mean()))
        if not found.sign * (after.mean() - before.mean()) > 0:
            return found
        pairs = zip(several, found.models, found.results, after.tolist(), strict=True)
        kept = [(old if one is None else one[0], replace(result, accuracy=value)) for one, old, result, value in pairs]
        return replace(
            found,
            models=[model for model, _ in kept],
            results=[result for _, result in kept],
            found=found.models,
            finish=count,
        )


def further(
    plan: SearchPlan, task: Task, models: Sequence[ir.Model], seeds: Sequence[int]
) -> list[tuple[ir.Model, TrainingResult] | None]:
    """Every network after `finish` further trainings on a task, with the last result; None for one that failed or died.

    Args:
        plan: the search.
        task: see `whole`.
        models: trained networks; their masks stay as they are.
        seeds: one for each network.
    """
    done: dict[int, tuple[ir.Model, TrainingResult]] = {}
    left = dict(enumerate(models))
    for number in range(plan.config.finish or 0):
        stack = _stack(plan, task, list(left.values()), [derive(seeds[at], "finish", number) % 2**31 for at in left])
        results = dict(zip(left, stack.run(task), strict=True))
        done = {
            at: (apply_result(left[at], result), result)
            for at, result in results.items()
            if not isinstance(result, Exception) and not result.dead
        }
        left = {at: model for at, (model, _) in done.items()}
        if not left:
            break
    return [done.get(at) for at in range(len(models))]


def _stack(plan: SearchPlan, task: Task, models: Sequence[ir.Model], seeds: Sequence[int]) -> Stack:
    """Trainings with as many steps as those of the search."""
    from nas.training.methods.registry import create

    epochs = max(1, round(plan.training.epochs * len(plan.task.train) / max(len(task.train), 1)))
    return Stack(
        models=models,
        seeds=seeds,
        method=create("static"),
        density=None,
        options=replace(plan.training, init="keep", patience=None, epochs=epochs),
        device=plan.config.device,
    )


def whole(plan: SearchPlan) -> Task | None:
    """The task with the training and validation examples that a subset left out, prepared as in the search, and the same test split.

    None where nothing was left out, and for a task of another package whose inputs or outputs depend on the subset.
    """
    task = plan.task
    if plan.config.subset is None:
        return None
    found = data_of(replace(plan.config, subset=None)).normalised_by(task.normalisation)
    if (found.signature, found.classes, found.features) != (task.signature, task.classes, task.features):
        return None
    if len(found.train) == len(task.train):
        return None
    return replace(task, train=found.train, validation=found.validation)


def _metrics(models: Sequence[ir.Model], task: Task, device: str) -> list[float]:
    """The metric of every network on the validation split."""
    from nas.training.single import evaluate

    return [evaluate(model, task, task.validation, device=device) for model in models]
