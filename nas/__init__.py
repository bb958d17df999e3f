"""Search for sparse neural networks, architecture and mask together, by predicting accuracy from structure.

`__init__.pyi` lists the public names. Each of them is imported at its first use, so that ``import nas`` is quick.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
