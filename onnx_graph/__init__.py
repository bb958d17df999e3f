"""The ONNX graph as currency: safe files, weights and their masks, live units, physical shrinking, exact counts.

The public names stand in `__init__.pyi`, once; each is imported when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
