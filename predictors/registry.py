"""Predictors by name: those of this package and those of the entry points ``predictors``."""

from typing import Any

from onnx_graph import Registry
from predictors.errors import InvalidPluginError, UnknownPredictorError
from predictors.predictor import Predictor

ABILITIES = ("fit", "predict", "arrays", "from_arrays")
"""What a class of predictors must have; see `Predictor`."""


def _fault(found: Any, name: str) -> str:
    lacking = [ability for ability in ABILITIES if not callable(getattr(found, ability, None))]
    if not isinstance(found, type) or lacking:
        return f"it must be a class with the methods {', '.join(ABILITIES)}"
    if getattr(found, "name", None) != name:
        return f"its attribute name must be {name!r}, or what it saves could not be loaded"
    return ""


PREDICTORS: Registry[type[Predictor]] = Registry(
    "predictor",
    {
        "constant": "predictors.models.constant:ConstantPredictor",
        "density": "predictors.models.density:DensityPredictor",
        "linear": "predictors.models.linear:LinearPredictor",
        "forest": "predictors.models.forest:ForestPredictor",
        "boosted": "predictors.models.boosted:BoostedPredictor",
        "gp": "predictors.models.gaussian_process:GaussianProcessPredictor",
        "gnn": "predictors.models.gnn.gnn:GNNPredictor",
        "quick": "predictors.models.quick:QuickPredictor",
        "ensemble": "predictors.models.ensemble:EnsemblePredictor",
        "warm": "predictors.models.warm:WarmPredictor",
    },
    "predictors",
    fault=_fault,
    unknown=UnknownPredictorError,
    broken=InvalidPluginError,
)
COST_PREDICTORS: Registry[type[Predictor]] = Registry(
    "predictor of a cost",
    {"latency": "predictors.models.latency:LatencyPredictor"},
    "predictors.costs",
    fault=_fault,
    unknown=UnknownPredictorError,
    broken=InvalidPluginError,
)
"""Predictors of something other than accuracy: saved and loaded alike, but no choice where accuracy is predicted."""


def saved_class(name: str) -> type[Predictor]:
    """The class of a saved predictor, of accuracy or of a cost."""
    return COST_PREDICTORS.load(name) if name in COST_PREDICTORS else PREDICTORS.load(name)


def needs_task(name: str) -> bool:
    """Whether a predictor knows other tasks, so that its networks must tell theirs (class attribute ``needs_task``)."""
    return bool(getattr(PREDICTORS.load(name), "needs_task", False))
