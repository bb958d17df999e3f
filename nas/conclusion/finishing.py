"""After a search on a subset: goes on training chosen networks on the whole training split, with their masks and from their own weights.

The validation examples that the subset left out say whether it helped. On all examples of a task there is nothing to be gained: neither
another training with the same mask and weights nor the validation examples made networks better (`docs/guides/search.md`).
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
from nas.study.config import FEWEST_EPOCHS
from nas.tasks.task import Split, Task
from nas.training.trained import apply_result


@dataclass(frozen=True, eq=False)
class Finisher:
    """Goes on training the networks of a run."""

    engine: Engine

    @cached_property
    def task(self) -> Task:
        """See `whole`."""
        return whole(self.engine.plan)

    def finished(self, found: Retrained) -> Retrained:
        """The networks after further trainings on the whole training split if they are better then, else as they were found.

        Better is a better mean metric on the whole validation split. If a training fails, or a network dies, all stay as they were.
        """
        count = self.engine.plan.config.finish
        if not count:
            return found
        before, after, models = self._validation(found.models), float("nan"), list(found.models)
        for number in range(count):
            several = self._trained(found, models, number)
            if several is None:
                return found
            models, after = several
        found = replace(found, before=before, after=after)
        if found.sign * (after - before) <= 0:
            return found
        return replace(found, models=models, found=found.models, finish=count)

    def _validation(self, models: Sequence[ir.Model]) -> float:
        """Mean metric on the whole validation split."""
        from nas.training.single import evaluate

        device = self.engine.plan.config.device
        return float(np.mean([evaluate(one, self.task, self.task.validation, device=device) for one in models]))

    def _trained(
        self, found: Retrained, models: Sequence[ir.Model], number: int
    ) -> tuple[list[ir.Model], float] | None:
        """The networks after one more training and their mean metric on the whole validation split; None if one failed."""
        from nas.training.methods.registry import create

        engine, plan, start = self.engine, self.engine.plan, self.engine.clock()
        stack = Stack(
            models=models,
            seeds=[derive(plan.config.seed, "finish", result.seed, number) % 2**31 for result in found.results],
            method=create("static"),
            density=None,
            options=replace(plan.training, init="keep", patience=None, epochs=epochs(plan, self.task)),
            device=plan.config.device,
        )
        results = [result for result in stack.run(self.task) if not isinstance(result, Exception) and not result.dead]
        took = engine.clock() - start
        engine.seconds.training += took
        pace = engine.remaining.pace(None)
        pace.trainings, pace.seconds = pace.trainings + len(models), pace.seconds + took
        if len(results) < len(models):
            return None
        trained = [apply_result(model, result) for model, result in zip(models, results, strict=True)]
        return trained, float(np.mean([result.accuracy for result in results]))


def whole(plan: SearchPlan) -> Task:
    """The task with the training and validation examples that a subset left out, prepared as in the search.

    Its test split is that of the search. A table whose columns mean something else without the subset stays as it is.
    """
    task = plan.task
    if plan.config.subset is None:
        return task
    found = data_of(replace(plan.config, subset=None))
    if (found.signature, found.classes, found.features) != (task.signature, task.classes, task.features):
        return task
    return replace(task, train=_prepared(found.train, found, task), validation=_prepared(found.validation, found, task))


def epochs(plan: SearchPlan, task: Task) -> int:
    """Epochs of a further training: as many steps as a training of the search has, but `FEWEST_EPOCHS` where that one has them."""
    own = plan.training.epochs
    as_many_steps = round(own * len(plan.task.train) / max(len(task.train), 1))
    return min(own, max(as_many_steps, FEWEST_EPOCHS))


def _prepared(split: Split, own: Task, wanted: Task) -> Split:
    """The split with the normalisation of another task."""
    if own.normalisation is None and wanted.normalisation is None:
        return split
    if own.normalisation is not None and own.normalisation.same_as(wanted.normalisation):
        return split
    raw = split.x if own.normalisation is None else own.normalisation.undo(split.x)
    return replace(split, x=raw if wanted.normalisation is None else wanted.normalisation.apply(raw))
