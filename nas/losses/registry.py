"""Losses by name: losses of this package and of entry points ``nas.losses``, which name a `Loss`."""

from nas.errors import PluginError, UsageError
from nas.losses.loss import Loss
from nas.registered import fault_of
from onnx_graph import Registry

LOSSES: Registry[Loss] = Registry(
    "loss",
    {"cross-entropy": "nas.losses.cross_entropy:CROSS_ENTROPY"},
    "nas.losses",
    fault=fault_of(Loss, "nas.losses.Loss", "compute"),
    unknown=UsageError,
    broken=PluginError,
)
