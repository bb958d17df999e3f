"""Search for sparse neural networks, architecture and mask together, by predicting accuracy from structure."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas import errors
    from nas.config import SearchConfig
    from nas.torch_module import from_torch

__version__ = "0.1.0"

__all__ = ["SearchConfig", "__version__", "errors", "from_torch"]

_HOMES = {"SearchConfig": "config", "from_torch": "torch_module"}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: torch and the rest take seconds."""
    if name == "errors":
        return import_module("nas.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"nas.{_HOMES[name]}"), name)
