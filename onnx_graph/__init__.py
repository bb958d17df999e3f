"""The ONNX graph as currency: safe files, weights and their masks, live units, physical shrinking, exact counts."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx_graph.counts import Counts, count
    from onnx_graph.errors import (
        GraphError,
        InvalidModelError,
        UnreadableModelError,
        UnsupportedOperatorError,
        WeightError,
    )
    from onnx_graph.file import from_proto, load, save, size
    from onnx_graph.layer_cutting import CutError, cut_layers, summed_layers
    from onnx_graph.live_units import Liveness, dead_units, effective_masks, liveness, trim
    from onnx_graph.shrinking import shrink
    from onnx_graph.simplification import simplify
    from onnx_graph.weight import Weight, masks, set_weights, weights

__all__ = [
    "Counts",
    "CutError",
    "GraphError",
    "InvalidModelError",
    "Liveness",
    "UnreadableModelError",
    "UnsupportedOperatorError",
    "Weight",
    "WeightError",
    "count",
    "cut_layers",
    "dead_units",
    "effective_masks",
    "from_proto",
    "liveness",
    "load",
    "masks",
    "save",
    "set_weights",
    "shrink",
    "simplify",
    "size",
    "summed_layers",
    "trim",
    "weights",
]

_MODULES = {
    "counts": ("Counts", "count"),
    "layer_cutting": ("CutError", "cut_layers", "summed_layers"),
    "errors": ("GraphError", "InvalidModelError", "UnreadableModelError", "UnsupportedOperatorError", "WeightError"),
    "file": ("from_proto", "load", "save", "size"),
    "live_units": ("Liveness", "dead_units", "effective_masks", "liveness", "trim"),
    "shrinking": ("shrink",),
    "simplification": ("simplify",),
    "weight": ("Weight", "masks", "set_weights", "weights"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
