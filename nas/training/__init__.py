"""Sparse training with a fixed mask: one network, or many small ones as one stacked batch."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.training.options import TrainingOptions, TrainingResult
    from nas.training.population import train_population
    from nas.training.train import evaluate, train
    from nas.training.trained import apply_result

__all__ = ["TrainingOptions", "TrainingResult", "apply_result", "evaluate", "train", "train_population"]

_HOME = {
    "TrainingOptions": "options",
    "TrainingResult": "options",
    "apply_result": "trained",
    "evaluate": "train",
    "train": "train",
    "train_population": "population",
}


class _Package(ModuleType):
    """`train` is a file and its function; as attribute of the package the function wins."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system sets the submodule as attribute after loading it.
        super().__setattr__(name, value.train if name == "train" and isinstance(value, ModuleType) else value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    """Load torch only when something is trained."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
