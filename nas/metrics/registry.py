"""Metrics by name: metrics of this package and of entry points ``nas.metrics``, which name a `Metric`."""

from nas.errors import PluginError, UsageError
from nas.metrics.metric import Metric
from nas.registered import fault_of
from onnx_graph import Registry

METRICS: Registry[Metric] = Registry(
    "metric",
    {"accuracy": "nas.metrics.accuracy:ACCURACY", "legality": "nas.metrics.legality:LEGALITY"},
    "nas.metrics",
    fault=fault_of(Metric, "nas.metrics.Metric", "measure"),
    unknown=UsageError,
    broken=PluginError,
)
