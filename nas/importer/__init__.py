"""ONNX graphs as pure PyTorch functions, so that `torch.func` can stack, differentiate and train them.

`__init__.pyi` lists the public names; each is imported at its first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
