"""ONNX graphs as pure PyTorch functions, so that `torch.func` can stack, differentiate and train them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.importer.network import Network, import_model

__all__ = ["Network", "import_model"]


def __getattr__(name: str) -> Any:
    """Load torch only when a network is imported."""
    if name in __all__:
        from nas.importer import network

        return getattr(network, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
