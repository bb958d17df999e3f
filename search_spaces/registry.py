"""Search spaces by name: those of this package and those of the entry points ``search_spaces``.

An entry point names a class; its instances are made from a `Signature` and an instance of its ``options_type``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from onnx_graph import Registry, unknown_name
from search_spaces.errors import InvalidOptionError, InvalidPluginError, UnknownNameError
from search_spaces.signature import Signature
from search_spaces.space import AUTO, JOIN, SearchSpace


class SpaceType(Protocol):
    """A class of search spaces."""

    options_type: type[Any]

    def __call__(self, signature: Signature, settings: Any, /) -> SearchSpace:
        """The space for networks of that signature; `settings` is an instance of ``options_type``."""


def _fault(found: Any, name: str) -> str:
    if not isinstance(found, type) or not hasattr(found, "options_type"):
        return "it must be a class of search spaces with an attribute options_type"
    return "" if getattr(found, "name", name) == name else f"its attribute name must be {name!r}"


SPACES: Registry[SpaceType] = Registry(
    "search space",
    {
        "mlp": "search_spaces.mlp:MLPSpace",
        "rnn": "search_spaces.rnn:RNNSpace",
        "cnn": "search_spaces.cnn:CNNSpace",
        "onnx": "search_spaces.onnx_model:ONNXSpace",
        "nasbench101": "search_spaces.nasbench.nasbench101:NASBench101Space",
        "nasbench201": "search_spaces.nasbench.nasbench201:NASBench201Space",
    },
    "search_spaces",
    fault=_fault,
    unknown=UnknownNameError,
    broken=InvalidPluginError,
)


def suited(signature: Signature) -> str:
    """Names of the families of this package that suit a signature, joined by ``+``: what the name ``auto`` stands for.

    Perceptrons for every input with one answer an example, convolutional networks for ``(C, H, W)``, recurrent ones for ``(T, F)``.
    """
    axes = len(signature.input_shape)
    families = {"mlp": not signature.per_step, "cnn": axes == 3 and not signature.per_step, "rnn": axes == 2}
    return JOIN.join(name for name, suits in families.items() if suits) or "rnn"


def create(name: str, signature: Signature, **options: object) -> SearchSpace:
    """The space of that name for networks of `signature`.

    Args:
        name: one of `SPACES`, or several joined by ``+``; then an option that only some of them have is given to these. ``auto``
            stands for the families that suit the signature.
        signature: input and output of the networks.
        options: options of the space, JSON values or Python ones; see its options class.

    Raises:
        UnknownNameError: the space does not exist.
        InvalidPluginError: the space of another package cannot be used.
        InvalidOptionError: an option is unknown or out of range, or the space has no network for the signature.
    """
    from search_spaces.options import read

    name = suited(signature) if name == AUTO else name
    if JOIN in name:
        return _joined(name.split(JOIN), signature, options)
    space_type = SPACES.load(name)
    return space_type(signature, read(space_type.options_type, options))


def _joined(names: Sequence[str], signature: Signature, options: Mapping[str, object]) -> SearchSpace:
    """Several spaces as one; each gets the options that it has."""
    from search_spaces.joined import JoinedSpace
    from search_spaces.options import option_names

    known = {name: option_names(SPACES.load(name).options_type) for name in dict.fromkeys(names)}
    for option in options:
        if not any(option in own for own in known.values()):
            raise InvalidOptionError(unknown_name("option", option, sorted(set().union(*known.values()))))
    return JoinedSpace(
        [
            create(name, signature, **{option: value for option, value in options.items() if option in own})
            for name, own in known.items()
        ]
    )
