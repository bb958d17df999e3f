"""The ONNX graph as currency: safe files, weights and their masks, live units, physical shrinking, exact counts."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx_graph.batch_axis import fixed_batch, free_batch
    from onnx_graph.counts import Counts, count
    from onnx_graph.errors import FixedBatchError, GraphError, InvalidModelError, UnsupportedOperatorError, WeightError
    from onnx_graph.file import from_proto, load, save, size
    from onnx_graph.layer_cutting import CutError, cut_layers, summed_layers
    from onnx_graph.live_units import Liveness, dead_units, effective_masks, liveness, trim
    from onnx_graph.normalisation import Separated, prepend_normalisation, split_normalisation
    from onnx_graph.notes import drop_notes
    from onnx_graph.shrinking import shrink
    from onnx_graph.simplification import simplify
    from onnx_graph.weight import Weight, masks, set_weights, weights

__all__ = [
    "Counts",
    "CutError",
    "FixedBatchError",
    "GraphError",
    "InvalidModelError",
    "Liveness",
    "Separated",
    "UnsupportedOperatorError",
    "Weight",
    "WeightError",
    "count",
    "cut_layers",
    "dead_units",
    "drop_notes",
    "effective_masks",
    "fixed_batch",
    "free_batch",
    "from_proto",
    "liveness",
    "load",
    "masks",
    "prepend_normalisation",
    "save",
    "set_weights",
    "shrink",
    "simplify",
    "size",
    "split_normalisation",
    "summed_layers",
    "trim",
    "weights",
]

_MODULES = {
    "batch_axis": ("fixed_batch", "free_batch"),
    "counts": ("Counts", "count"),
    "layer_cutting": ("CutError", "cut_layers", "summed_layers"),
    "errors": ("FixedBatchError", "GraphError", "InvalidModelError", "UnsupportedOperatorError", "WeightError"),
    "file": ("from_proto", "load", "save", "size"),
    "live_units": ("Liveness", "dead_units", "effective_masks", "liveness", "trim"),
    "normalisation": ("Separated", "prepend_normalisation", "split_normalisation"),
    "notes": ("drop_notes",),
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
