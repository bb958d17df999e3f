"""A cost: a number that is known before a network is trained, as an entry of a registry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A cost of a network.

    Attributes:
        name: name in objectives, constraints, columns and reports.
        meaning: description in one line.
        measure: function that returns the cost of a model.
        direction: ``minimize`` if less is better, as for nearly all costs, else ``maximize`` (Optuna's words).
        unit: text printed after a value.
        exported: whether it is measured on the exported form of the network: without dead units, with raw inputs and
            metadata. If not, it is measured on the network that the space builds.
        exact: whether every measurement on every machine gives the same value.
    """

    name: str
    meaning: str
    measure: Callable[[ir.Model], float]
    direction: Literal["maximize", "minimize"] = "minimize"
    unit: str = ""
    exported: bool = False
    exact: bool = True
