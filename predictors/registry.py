"""Predictors by name, from this package and from the entry points ``predictors``."""

from typing import Any

from onnx_graph import Registry
from predictors.errors import InvalidPluginError, UnknownPredictorError
from predictors.predictor import Predictor

ABILITIES = ("fit", "predict", "arrays", "from_arrays")
"""Attributes that a class of predictors must have; see `Predictor`."""


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
        "origins": "predictors.models.origins:OriginsPredictor",
        "quick-warm": "predictors.models.warm:QuickWarmPredictor",
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
"""Predictors of quantities other than accuracy: saved and loaded in the same way, but not offered as predictors of accuracy."""


def saved_class(name: str) -> type[Predictor]:
    """The class of a saved predictor, of accuracy or of a cost."""
    return COST_PREDICTORS.load(name) if name in COST_PREDICTORS else PREDICTORS.load(name)


def needs_task(name: str) -> bool:
    """Whether a predictor knows several tasks, so that networks must state their task (class attribute ``needs_task``)."""
    return bool(getattr(PREDICTORS.load(name), "needs_task", False))
