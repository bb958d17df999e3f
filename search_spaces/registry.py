"""Search spaces by name: the own ones and those that other packages add as entry points ``search_spaces``.

An entry point names a class that is made from a `Signature` and an instance of its ``options_type``.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from search_spaces.errors import UnknownNameError
from search_spaces.names import unknown
from search_spaces.signature import Signature
from search_spaces.space import SearchSpace

SPACES: Mapping[str, str] = {
    "mlp": "search_spaces.mlp:MLPSpace",
    "rnn": "search_spaces.rnn:RNNSpace",
    "cnn": "search_spaces.cnn:CNNSpace",
    "onnx": "search_spaces.onnx_model:ONNXSpace",
}
GROUP = "search_spaces"


def names() -> list[str]:
    """All known spaces, the own ones first."""
    return [*SPACES, *sorted({point.name for point in entry_points(group=GROUP)} - set(SPACES))]


def create(name: str, signature: Signature, **options: object) -> SearchSpace:
    """The space of that name for networks of `signature`.

    Args:
        name: see `names`.
        signature: what the networks take in and give out.
        options: of the space, JSON values or Python ones; see its options class.

    Raises:
        UnknownNameError: no such space.
        InvalidOptionError: an option that is unknown or out of range, or a signature that the space has no network for.
    """
    from search_spaces.options import read

    space_type = _load(name)
    space: SearchSpace = space_type(signature, read(space_type.options_type, options))
    return space


def _load(name: str) -> Any:
    if name in SPACES:
        module, class_name = SPACES[name].split(":")
        return getattr(import_module(module), class_name)
    for point in entry_points(group=GROUP, name=name):
        return point.load()
    raise UnknownNameError(unknown("search space", name, names()))
