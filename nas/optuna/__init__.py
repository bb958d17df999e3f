"""For users of Optuna: a sampler that predicts from structure, for anybody's `study.optimize`.

`__init__.pyi` lists the public names. Each of them is imported at its first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
