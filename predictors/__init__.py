"""Prediction of a network's accuracy, with uncertainty, from the structure of its ONNX graph and the non-zero pattern of its weights.

`__init__.pyi` lists the public names. Each of them is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
