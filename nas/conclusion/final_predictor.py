"""The final predictor of a run: fitted on all its trials, for `nas predict` and for the report."""

from math import prod
from typing import Any

from nas.engine.search_loop import Engine


def fit_and_save(engine: Engine) -> None:
    """Fit the predictor on all trials and write it into the run folder; does nothing without a predictor."""
    engine.planner.fit(engine.record.trials)
    surrogate = engine.planner.surrogate
    if surrogate.predictor is None or not surrogate.fitted:
        return
    import predictors

    task, signature = engine.plan.task, engine.plan.task.signature
    shape = signature.input_shape
    provenance: dict[str, Any] = {
        "task": task.name,
        "task_fingerprint": task.fingerprint,
        "space": engine.plan.space.name,
        "seed": engine.plan.config.seed,
        "inputs": shape[-1] if signature.per_step else prod(shape),
        "outputs": signature.outputs,
    }
    methods = getattr(engine.planner, "methods", ())
    if methods:
        provenance["methods"] = list(methods)
    tasks = {} if surrogate.description is None else {task.name: surrogate.description}
    with engine.remaining.fitting(engine.clock, more=True):  # questions that nobody asked are learnt now
        predictors.save(surrogate.predictor, engine.folder.predictor, provenance=provenance, tasks=tasks)
