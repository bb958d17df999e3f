"""Sparse training by a mask method: one network, or many small ones as one stacked batch (see README.md beside this file)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.training.mask_only import masked_model
    from nas.training.options import TrainingOptions, TrainingResult
    from nas.training.population import train_population
    from nas.training.single import evaluate, train
    from nas.training.trained import apply_result

__all__ = [
    "TrainingOptions",
    "TrainingResult",
    "apply_result",
    "evaluate",
    "masked_model",
    "train",
    "train_population",
]

_HOME = {
    "TrainingOptions": "options",
    "TrainingResult": "options",
    "apply_result": "trained",
    "evaluate": "single",
    "masked_model": "mask_only",
    "train": "single",
    "train_population": "population",
}


def __getattr__(name: str) -> object:
    """Load torch only when something is trained."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
