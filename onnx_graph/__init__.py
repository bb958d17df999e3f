"""The ONNX graph, in which all parts exchange networks: safe files, weights and masks, live units, physical shrinking, exact counts.

`__init__.pyi` lists the public names. Each of them is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
