"""The ONNX graph as currency: safe files, weights and their masks, live units, physical shrinking, exact counts."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx_graph.count import Counts, count
    from onnx_graph.errors import GraphError, InvalidModelError, UnsupportedOperatorError, WeightError
    from onnx_graph.file import load, save, size
    from onnx_graph.liveness import Liveness, dead_units, effective_masks, liveness, trim
    from onnx_graph.shrink import shrink
    from onnx_graph.simplify import simplify
    from onnx_graph.weights import Weight, masks, set_weights, weights

__all__ = [
    "Counts",
    "GraphError",
    "InvalidModelError",
    "Liveness",
    "UnsupportedOperatorError",
    "Weight",
    "WeightError",
    "count",
    "dead_units",
    "effective_masks",
    "liveness",
    "load",
    "masks",
    "save",
    "set_weights",
    "shrink",
    "simplify",
    "size",
    "trim",
    "weights",
]

_MODULES = {
    "count": ("Counts", "count"),
    "errors": ("GraphError", "InvalidModelError", "UnsupportedOperatorError", "WeightError"),
    "file": ("load", "save", "size"),
    "liveness": ("Liveness", "dead_units", "effective_masks", "liveness", "trim"),
    "shrink": ("shrink",),
    "simplify": ("simplify",),
    "weights": ("Weight", "masks", "set_weights", "weights"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


class _Package(ModuleType):
    """Several files carry the name of their one function; as attributes of the package the functions win."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system sets the submodule as attribute after loading it.
        if isinstance(value, ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
