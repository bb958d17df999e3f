"""A first look at many candidates: the scores of some and a few facts about all tell which of the others are worth a closer look."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces import Candidate, Json, LearnedMask

Floats = NDArray[np.float64]


def plan_table(plans: Sequence[Candidate], costs: Sequence[Mapping[str, float]]) -> Floats:
    """A few facts about plans, ``(plans, columns)``: genes, method, number of weights, and costs of the whole networks.

    Numbers are logarithms. Every other value of a gene has a column of its own, 1 where a plan has it.
    """
    rows = [
        _facts(plan) | {f"cost {name}": _log(value) for name, value in of.items()}
        for plan, of in zip(plans, costs, strict=True)
    ]
    names = sorted({name for row in rows for name in row})
    return np.array([[row.get(name, 0.0) for name in names] for row in rows]).reshape(len(plans), len(names))


def _facts(plan: Candidate) -> dict[str, float]:
    found = {f"space {plan.space}": 1.0}
    for name, gene in plan.architecture.items():
        found |= {name: _log(gene)} if _is_number(gene) else {f"{name} {json.dumps(gene, sort_keys=True)}": 1.0}  # type: ignore[arg-type]
    mask = plan.mask
    return found | ({f"method {mask.method}": 1.0, "keep": _log(mask.keep)} if isinstance(mask, LearnedMask) else {})


def _is_number(gene: Json) -> bool:
    return isinstance(gene, int | float) and not isinstance(gene, bool)


def _log(value: float) -> float:
    return float(np.log1p(max(value, 0.0)))


def extended(
    table: Floats, known: NDArray[np.int64], values: Sequence[float], wanted: NDArray[np.int64], ridge: float = 1.0
) -> Floats:
    """Values of further rows of a table, by a ridge regression on the known ones."""
    mean, std = table[known].mean(axis=0), table[known].std(axis=0) + 1e-9
    design, target = (table[known] - mean) / std, np.array(values) - np.mean(values)
    slope = np.linalg.solve(design.T @ design + ridge * np.eye(design.shape[1]), design.T @ target)
    return np.asarray((table[wanted] - mean) / std @ slope, np.float64)
