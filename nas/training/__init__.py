"""Sparse training by a mask method: one network, or many small ones as one stacked batch (see README.md in this folder).

The public names stand in `__init__.pyi`, once; each is imported when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
