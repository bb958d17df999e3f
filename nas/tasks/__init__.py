"""Tasks: data split into train, validation and test, from built-in data sets or from the user's own files.

`__init__.pyi` lists the public names; each is imported at its first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
