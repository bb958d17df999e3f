"""Accuracy of a network predicted from the structure of its ONNX graph and the non-zero pattern of its weights, with uncertainty."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from predictors.batch import encode_all, encode_each
    from predictors.encoder import encode
    from predictors.errors import PredictorError
    from predictors.fitted import FittedPredictor
    from predictors.fitting import fit
    from predictors.persistence import load, save
    from predictors.predictor import Prediction, Predictor
    from predictors.registry import PREDICTORS, create
    from predictors.structure_graph import StructureGraph
    from predictors.task_description import TaskDescription

__all__ = [
    "PREDICTORS",
    "FittedPredictor",
    "Prediction",
    "Predictor",
    "PredictorError",
    "StructureGraph",
    "TaskDescription",
    "create",
    "encode",
    "encode_all",
    "encode_each",
    "fit",
    "load",
    "save",
]

_HOMES = {
    "PREDICTORS": "registry",
    "FittedPredictor": "fitted",
    "Prediction": "predictor",
    "Predictor": "predictor",
    "PredictorError": "errors",
    "StructureGraph": "structure_graph",
    "TaskDescription": "task_description",
    "create": "registry",
    "encode": "encoder",
    "encode_all": "batch",
    "encode_each": "batch",
    "fit": "fitting",
    "load": "persistence",
    "save": "persistence",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
