from .torch_network import Network as Network
from .torch_network import import_model as import_model

__all__ = [
    "Network",
    "import_model",
]
