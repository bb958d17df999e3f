"""Search spaces: candidates, mask recipes, mask edits, and how they become ONNX graphs."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search_spaces.candidate import Candidate, MaskEdit, MaskRecipe
    from search_spaces.errors import InvalidCandidateError, InvalidOptionError, SpaceError, UnknownNameError
    from search_spaces.registry import SPACES, create
    from search_spaces.signature import Signature
    from search_spaces.space import SearchSpace

__all__ = [
    "Candidate",
    "InvalidCandidateError",
    "InvalidOptionError",
    "MaskEdit",
    "MaskRecipe",
    "SPACES",
    "SearchSpace",
    "Signature",
    "SpaceError",
    "UnknownNameError",
    "create",
]

_MODULES = {
    "candidate": ("Candidate", "MaskEdit", "MaskRecipe"),
    "errors": ("InvalidCandidateError", "InvalidOptionError", "SpaceError", "UnknownNameError"),
    "registry": ("SPACES", "create"),
    "signature": ("Signature",),
    "space": ("SearchSpace",),
}
_HOME = {name: module for module, own in _MODULES.items() for name in own}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
