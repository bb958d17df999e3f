"""Metrics by name: metrics of this package and of entry points ``nas.metrics``, which name a `Metric`."""

from typing import Any

from nas.errors import PluginError, UsageError
from nas.metrics.metric import Metric
from onnx_graph import Registry


def _fault(found: Any, name: str) -> str:
    if not isinstance(found, Metric):
        return "it must be a nas.metrics.Metric"
    if found.name != name:
        return f"its name must be {name!r}, as that of its entry point"
    return "" if callable(found.measure) else "its measure must be a function"


METRICS: Registry[Metric] = Registry(
    "metric",
    {"accuracy": "nas.metrics.accuracy:ACCURACY", "legality": "nas.metrics.legality:LEGALITY"},
    "nas.metrics",
    fault=_fault,
    unknown=UsageError,
    broken=PluginError,
)
