"""Accuracy of a network predicted from the structure of its ONNX graph and the non-zero pattern of its weights, with uncertainty.

The public names stand in `__init__.pyi`, once; each is imported when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
