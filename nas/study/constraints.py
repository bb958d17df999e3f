"""Hard constraints, counted before any training: `nnz<=600`, `nnz<=10%` of dense, `bytes<=20000`, `latency<=0.5`."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nas.errors import ConstraintError
from nas.measure.metrics import COSTS
from nas.names import nearest

_PATTERN = re.compile(r"^\s*([a-z_]+)\s*(<=|>=)\s*([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*(%?)\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Constraint:
    """One bound.

    Attributes:
        metric: what is bounded.
        operator: ``<=`` or ``>=``.
        bound: the bound; a share of the same architecture without a mask where `relative`.
        relative: given in per cent.
    """

    metric: str
    operator: str
    bound: float
    relative: bool = False

    def __str__(self) -> str:
        """As written on the command line."""
        return (
            f"{self.metric}{self.operator}{self.bound * 100:g}%"
            if self.relative
            else f"{self.metric}{self.operator}{self.bound:g}"
        )

    def excess(self, metrics: Mapping[str, float]) -> float:
        """By how much the bound is missed, as a share of it; ≤ 0 where it is met (Optuna's sense of a constraint)."""
        value = metrics["density"] if self.relative else metrics[self.metric]
        over = (value - self.bound) if self.operator == "<=" else (self.bound - value)
        return over / max(abs(self.bound), 1e-12)


def parse(text: str) -> Constraint:
    """Read one constraint; `ConstraintError` says what is wrong with it."""
    match = _PATTERN.match(text)
    if match is None:
        raise ConstraintError(
            f"constraint {text!r} is not of the form METRIC<=NUMBER, METRIC>=NUMBER or nnz<=NUMBER%, as in 'nnz<=600'"
        )
    metric, operator, number, percent = match.groups()
    metric = metric.lower()
    if metric not in COSTS:
        raise ConstraintError(
            f"constraint {text!r}: unknown metric {metric!r}; did you mean {nearest(metric, COSTS)[0]!r}? Known: {', '.join(COSTS)}"
        )
    bound = float(number)
    if not math.isfinite(bound):
        raise ConstraintError(f"constraint {text!r}: the bound is beyond every number; give a smaller one")
    if percent:
        if metric != "nnz":
            raise ConstraintError(f"constraint {text!r}: only nnz can be a share of the dense network")
        bound /= 100
        if bound > 1:
            raise ConstraintError(f"constraint {text!r}: more than 100 % of dense is always met")
    if operator == "<=" and bound <= 0:
        raise ConstraintError(f"constraint {text!r} can never be met: every network has {metric} above 0")
    return Constraint(metric, operator, bound, bool(percent))


def parse_all(texts: Iterable[str]) -> tuple[Constraint, ...]:
    """Read several constraints; a pair that contradicts itself is an error."""
    constraints = tuple(parse(text) for text in texts)
    for upper in constraints:
        for lower in constraints:
            same = (upper.metric, upper.relative) == (lower.metric, lower.relative)
            if same and upper.operator == "<=" and lower.operator == ">=" and upper.bound < lower.bound:
                raise ConstraintError(f"constraints {upper} and {lower} exclude each other")
    return constraints


def nnz_options(constraints: Sequence[Constraint]) -> dict[str, float]:
    """Options of a search space that keep its draws within the bounds on nnz, so that few are drawn in vain."""
    options: dict[str, float] = {}
    for constraint in constraints:
        if constraint.metric == "nnz" and constraint.operator == "<=":
            name = "max_density" if constraint.relative else "max_nnz"
            bound = constraint.bound if constraint.relative else int(constraint.bound)
            options[name] = min(bound, options.get(name, bound))
    return options
