"""Checks before a search whether any candidate of the space meets the constraints."""

from nas.engine.plan import SearchPlan
from nas.engine.pool import Pool
from nas.errors import ConstraintError
from nas.exporters.onnx_export import as_exported
from nas.seeds import generator
from nas.study.trial import Proposal

PREFLIGHT = 200
"""Number of candidates drawn to check that the constraints can be met."""


def preflight(plan: SearchPlan) -> Pool:
    """Draw candidates until one meets the constraints; `ConstraintError` with the smallest values found if none does."""
    space, task = plan.space, plan.task
    pool = Pool(
        space, plan.constraints, plan.objectives, finish=lambda model, candidate: as_exported(model, task, candidate)
    )
    bounds = pool.constraints
    rng = generator(plan.config.seed, "preflight")
    for _ in range(PREFLIGHT):
        pool.offer(Proposal(candidate=space.sample(rng)))
        if pool.members:
            return pool
    seen = ", ".join(
        f"{name} {pool.smallest[name]:g}" for name in dict.fromkeys(c.metric for c in bounds) if name in pool.smallest
    )
    wanted = f"meets {' and '.join(str(c) for c in bounds)}" if bounds else "has a live path from input to output"
    raise ConstraintError(
        f"none of {PREFLIGHT} candidates of the space {space.name} {wanted}"
        + (f"; the least seen: {seen}" if seen else "")
        + ". Loosen the constraint or the space"
    )
