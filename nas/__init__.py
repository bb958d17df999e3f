"""Search for sparse neural networks, architecture and mask together, by predicting accuracy from structure."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas import errors
    from nas.from_torch import from_torch

__version__ = "0.1.0"

__all__ = ["__version__", "errors", "from_torch"]


class _Package(ModuleType):
    """The file `from_torch` has the name of its one function; as an attribute of the package the function wins."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system sets the submodule as attribute after loading it.
        if name == "from_torch" and isinstance(value, ModuleType):
            value = value.from_torch
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    """Load torch only where `from_torch` is asked for."""
    if name == "errors":
        return import_module("nas.errors")
    if name == "from_torch":
        return import_module("nas.from_torch").from_torch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
