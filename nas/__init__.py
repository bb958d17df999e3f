"""Search for sparse neural networks, architecture and mask together, by predicting accuracy from structure.

The public names stand in `__init__.pyi`, once; each is imported when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
__all__ += ["__version__"]
