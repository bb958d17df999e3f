from .torch_network import Network as Network
from .torch_network import import_model as import_model
from .torch_network import outputs_of as outputs_of

__all__ = [
    "Network",
    "import_model",
    "outputs_of",
]
