"""Costs by name: costs of this package and of entry points ``nas.costs``, which name a `Cost`."""

from collections.abc import Callable, Iterable
from functools import cache

import onnx_ir as ir

from nas.errors import PluginError, UsageError
from nas.measure.costs.cost import Cost
from nas.registered import fault_of
from onnx_graph import Registry

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
    fault=fault_of(Cost, "nas.measure.costs.Cost", "measure"),
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
