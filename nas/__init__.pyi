from . import errors as errors
from .study.config import SearchConfig as SearchConfig
from .torch_export.torch_module import from_torch as from_torch

__version__: str

__all__ = [
    "SearchConfig",
    "__version__",
    "errors",
    "from_torch",
]
