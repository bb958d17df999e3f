"""Before a search: the space with its options, and whether any of its candidates meets the constraints."""

import json
from collections.abc import Sequence

from nas.engine.pool import Pool
from nas.errors import ConstraintError, UsageError
from nas.exporters.onnx_export import as_exported
from nas.seeds import generator
from nas.study import constraints, objectives
from nas.study.config import SearchConfig
from nas.study.trial import Proposal
from nas.tasks.task import Task
from search_spaces.space import SearchSpace

PREFLIGHT = 200
"""Candidates drawn to see whether the constraints can be met at all."""


def make_space(config: SearchConfig, task: Task) -> SearchSpace:
    """The space with the options of the configuration and, where they bound nnz, of the constraints."""
    import search_spaces

    options: dict[str, object] = dict(constraints.nnz_options(constraints.parse_all(config.constraint)))
    if config.model is not None:
        options["model"] = config.model
    for text in config.space_option:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"space option {text!r} is not of the form NAME=VALUE")
        options[name.strip().replace("-", "_")] = _parse_value(value)
    return search_spaces.create(config.space, task.signature, **options)


def preflight(
    space: SearchSpace,
    task: Task,
    bounds: Sequence[constraints.Constraint],
    goals: Sequence[objectives.Objective],
    *,
    seed: int,
) -> Pool:
    """Draw candidates until one meets the constraints; `ConstraintError` with the smallest values seen where none does."""
    pool = Pool(space, bounds, goals, finish=lambda model, candidate: as_exported(model, task, candidate))
    rng = generator(seed, "preflight")
    for _ in range(PREFLIGHT):
        pool.offer(Proposal(candidate=space.sample(rng)))
        if pool.members:
            return pool
    seen = ", ".join(f"{name} {pool.smallest[name]:g}" for name in {c.metric for c in bounds} if name in pool.smallest)
    wanted = f"meets {' and '.join(str(c) for c in bounds)}" if bounds else "has a live path from input to output"
    raise ConstraintError(
        f"none of {PREFLIGHT} candidates of the space {space.name} {wanted}"
        + (f"; the least seen: {seen}" if seen else "")
        + ". Loosen the constraint or the space"
    )


def _parse_value(text: str) -> object:
    """A space option from the command line: JSON where it is such, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
