"""Hard constraints on costs and metrics: `nnz<=600`, `nnz<=10%` of dense, `bytes<=20000`, `latency<=0.5`, `accuracy>=0.9`.

Costs of a network are measured before its training, so that one that breaks a constraint on costs is not trained. Where a training
has still to find the mask, they are measured after it, and a network that breaks a constraint is a failed trial. Metrics are known after
the training: a network that breaks a constraint on metrics is recorded, but it never leads and is never exported.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nas.errors import ConstraintError
from nas.metrics import Metric
from nas.study.objectives import ACCURACY
from nas.study.vocabulary import is_cost, quantity, quantity_names
from onnx_graph import unknown_name

_PATTERN = re.compile(
    r"^\s*([a-z][a-z0-9_.-]*)\s*(<=|>=)\s*([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*(%?)\s*$", re.IGNORECASE
)


@dataclass(frozen=True)
class Constraint:
    """One constraint: a bound on a cost or metric.

    Attributes:
        metric: name of the cost or metric that is bounded.
        operator: ``<=`` or ``>=``.
        bound: the bound; if `relative`, a share of the value of the same architecture without a mask.
        relative: whether the bound is given in per cent.
    """

    metric: str
    operator: str
    bound: float
    relative: bool = False

    def __str__(self) -> str:
        """The constraint as on the command line."""
        return (
            f"{self.metric}{self.operator}{self.bound * 100:g}%"
            if self.relative
            else f"{self.metric}{self.operator}{self.bound:g}"
        )

    def excess(self, metrics: Mapping[str, float]) -> float:
        """Distance to the bound as a share of it: > 0 if the constraint is broken, ≤ 0 if it is met (as in Optuna)."""
        value = metrics["density"] if self.relative else metrics[self.metric]
        over = (value - self.bound) if self.operator == "<=" else (self.bound - value)
        return over / max(abs(self.bound), 1e-12)


def parse(text: str, main: str = ACCURACY) -> Constraint:
    """Read one constraint; `ConstraintError` names the fault. ``accuracy`` stands for the metric `main`."""
    match = _PATTERN.match(text)
    if match is None:
        raise ConstraintError(
            f"constraint {text!r} is not of the form METRIC<=NUMBER, METRIC>=NUMBER or nnz<=NUMBER%, as in 'nnz<=600'"
        )
    metric, operator, number, percent = match.groups()
    metric = main if metric.lower() == ACCURACY else metric.lower()
    if metric not in quantity_names():
        raise ConstraintError(f"constraint {text!r}: {unknown_name('metric', metric, quantity_names())}")
    bounded = quantity(metric)
    bound = float(number)
    if not math.isfinite(bound):
        raise ConstraintError(f"constraint {text!r}: the bound is beyond every number; give a smaller one")
    if isinstance(bounded, Metric):
        return _on_metric(text, bounded, operator, bound / 100 if percent else bound, percent=bool(percent))
    if percent:
        if metric != "nnz":
            raise ConstraintError(f"constraint {text!r}: only nnz can be a share of the dense network")
        bound /= 100
        if bound > 1:
            raise ConstraintError(f"constraint {text!r}: more than 100 % of dense is always met")
    if operator == "<=" and bound <= 0:
        raise ConstraintError(f"constraint {text!r} can never be met: every network has {metric} above 0")
    return Constraint(metric, operator, bound, bool(percent))


def _on_metric(text: str, metric: Metric, operator: str, bound: float, *, percent: bool) -> Constraint:
    if percent and metric.unit != "%":
        raise ConstraintError(f"constraint {text!r}: {metric.name} is not measured in per cent")
    if (bound > metric.high and operator == ">=") or (bound < metric.low and operator == "<="):
        raise ConstraintError(
            f"constraint {text!r} can never be met: {metric.name} lies between {metric.low:g} and {metric.high:g}"
        )
    return Constraint(metric.name, operator, bound)


def parse_all(texts: Iterable[str], main: str = ACCURACY) -> tuple[Constraint, ...]:
    """Read several constraints like `parse`; two that contradict each other are an error."""
    constraints = tuple(parse(text, main) for text in texts)
    for upper in constraints:
        for lower in constraints:
            same = (upper.metric, upper.relative) == (lower.metric, lower.relative)
            if same and upper.operator == "<=" and lower.operator == ">=" and upper.bound < lower.bound:
                raise ConstraintError(f"constraints {upper} and {lower} exclude each other")
    return constraints


def on_costs(constraints: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """The constraints that can be checked before a training."""
    return tuple(constraint for constraint in constraints if is_cost(constraint.metric))


def on_metrics(constraints: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """The constraints that can be checked only after a training."""
    return tuple(constraint for constraint in constraints if not is_cost(constraint.metric))


def nnz_options(constraints: Sequence[Constraint]) -> dict[str, float]:
    """Options of a search space that keep its draws within the bounds on nnz, so that few draws are wasted."""
    options: dict[str, float] = {}
    for constraint in constraints:
        if constraint.metric == "nnz" and constraint.operator == "<=":
            name = "max_density" if constraint.relative else "max_nnz"
            bound = constraint.bound if constraint.relative else int(constraint.bound)
            options[name] = min(bound, options.get(name, bound))
    return options
