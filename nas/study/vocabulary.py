"""Names for objectives and constraints: all registered metrics and costs."""

import re

from nas.errors import PluginError
from nas.measure.costs import COSTS, Cost
from nas.metrics import METRICS, Metric
from nas.study.trial import COLUMNS

NAME = re.compile(r"[a-z][a-z0-9_.-]*")
"""Pattern of the names that a constraint can contain."""


def quantity_names() -> tuple[str, ...]:
    """All names: metrics, then costs."""
    return (*METRICS, *COSTS)


def quantity(name: str) -> Metric | Cost:
    """The metric or cost of a known name.

    Raises:
        PluginError: the name is a metric and a cost, cannot be written in a constraint, or is a standard column of trials.
    """
    if name in METRICS and name in COSTS:
        raise PluginError(
            f"{name!r} is a metric of {METRICS.origin(name)} and a cost of {COSTS.origin(name)}; uninstall one of them"
        )
    if not NAME.fullmatch(name) or (name in COLUMNS and name not in (*METRICS.builtins, *COSTS.builtins)):
        registry = METRICS if name in METRICS else COSTS
        raise PluginError(
            f"{registry.kind} {name!r} of {registry.origin(name)} cannot be used: its name must be lower case letters, digits "
            f"and '_', '.', '-', and none of {', '.join(COLUMNS)}"
        )
    return METRICS.load(name) if name in METRICS else COSTS.load(name)


def is_cost(name: str) -> bool:
    """Whether a known name can be measured before any training."""
    return name in COSTS
