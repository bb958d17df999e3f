"""Losses by name: losses of this package and of entry points ``nas.losses``, which name a `Loss`."""

from typing import Any

from nas.errors import PluginError, UsageError
from nas.losses.loss import Loss
from onnx_graph import Registry


def _fault(found: Any, name: str) -> str:
    if not isinstance(found, Loss):
        return "it must be a nas.losses.Loss"
    if found.name != name:
        return f"its name must be {name!r}, as that of its entry point"
    return "" if callable(found.compute) else "its compute must be a function"


LOSSES: Registry[Loss] = Registry(
    "loss",
    {"cross-entropy": "nas.losses.cross_entropy:CROSS_ENTROPY"},
    "nas.losses",
    fault=_fault,
    unknown=UsageError,
    broken=PluginError,
)
