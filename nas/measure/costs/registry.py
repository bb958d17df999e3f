"""Costs by name: costs of this package and of entry points ``nas.costs``, which name a `Cost`."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import onnx_ir as ir

from nas.errors import PluginError, UsageError
from nas.measure.costs.cost import Cost
from onnx_graph import Registry


def _fault(found: Any, name: str) -> str:
    if not isinstance(found, Cost):
        return "it must be a nas.measure.costs.Cost"
    if found.name != name:
        return f"its name must be {name!r}, as that of its entry point"
    return "" if callable(found.measure) else "its measure must be a function"


COSTS: Registry[Cost] = Registry(
    "cost",
    {
        "nnz": "nas.measure.costs.counted:NNZ",
        "params": "nas.measure.costs.counted:PARAMS",
        "weights": "nas.measure.costs.counted:WEIGHTS",
        "macs": "nas.measure.costs.counted:MACS",
        "density": "nas.measure.costs.counted:DENSITY",
        "bytes": "nas.measure.costs.size:BYTES",
        "latency": "nas.measure.costs.latency:LATENCY",
    },
    "nas.costs",
    fault=_fault,
    unknown=UsageError,
    broken=PluginError,
)


def measure_all(names: Iterable[str], model: ir.Model, finish: Callable[[], ir.Model]) -> dict[str, float]:
    """Costs of a network by name.

    Args:
        names: names of costs.
        model: network that the space builds.
        finish: function that returns the exported form of the network; called at most once.
    """
    finished = cache(finish)
    found = {}
    for name in names:
        cost = COSTS.load(name)
        value = cost.measure(finished() if cost.exported else model)
        found[name] = value if type(value) in (int, float) else float(value)
    return found
