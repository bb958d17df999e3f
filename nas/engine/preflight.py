"""Checks before a search whether any candidate of the space meets the constraints."""

import itertools
from collections.abc import Iterator

from nas.engine.keep import KeepRule
from nas.engine.plain_networks import SCALES, plain_networks
from nas.engine.plan import SearchPlan
from nas.engine.pool import Pool
from nas.errors import ConstraintError
from nas.exporters.onnx_export import as_exported
from nas.seeds import generator
from nas.study.constraints import on_costs
from nas.study.trial import Proposal
from search_spaces import Candidate, has_masks

PREFLIGHT = 200
"""Number of candidates drawn to check that the constraints can be met."""


def preflight(plan: SearchPlan) -> Pool:
    """Draw candidates until one meets the constraints; `ConstraintError` with the smallest values found if none does.

    A search that learns masks reaches networks that are rarely drawn, so there the thinnest plain networks are looked at too.
    """
    space, task = plan.space, plan.task
    pool = Pool(
        space, plan.constraints, plan.objectives, finish=lambda model, candidate: as_exported(model, task, candidate)
    )
    bounds = pool.constraints
    rng = generator(plan.config.seed, "preflight")
    drawn = (space.sample(rng) for _ in range(PREFLIGHT))
    for candidate in itertools.chain(_thin(plan), drawn):
        pool.offer(Proposal(candidate=candidate))
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


def _thin(plan: SearchPlan) -> Iterator[Candidate]:
    """The narrowest plain networks, whole and ever thinner, where a search learns masks under bounds on other costs than non-zeros."""
    keep = KeepRule(
        plan.space, on_costs(plan.constraints), lambda model, candidate: as_exported(model, plan.task, candidate)
    )
    if keep.estimates and has_masks(plan.space) and hasattr(plan.strategy, "planner"):
        for dense in plain_networks(plan.space, SCALES[-1]):
            yield from keep.stand_ins(dense)
