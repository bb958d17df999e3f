"""A cost: a number that a network has before it is trained, as a value that a registry holds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A cost.

    Attributes:
        name: as objectives, constraints, columns and reports write it.
        meaning: in one line.
        measure: the cost of a model.
        direction: whether networks are better with less of it, as nearly always, or with more (Optuna's words).
        unit: printed after a value.
        exported: whether it is measured on the network in the form in which it would be exported: without dead units, taking
            raw inputs, with its metadata. If not, on the network as the space builds it.
        exact: whether it is the same on every machine and at every time.
    """

    name: str
    meaning: str
    measure: Callable[[ir.Model], float]
    direction: Literal["maximize", "minimize"] = "minimize"
    unit: str = ""
    exported: bool = False
    exact: bool = True
