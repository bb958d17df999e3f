"""The predictors by name: the table, third parties' entry points, and `create`."""

import importlib
from importlib.metadata import entry_points

from predictors.errors import UnknownPredictorError
from predictors.names import nearest
from predictors.predictor import Predictor

ENTRY_POINTS = "predictors"

PREDICTORS: dict[str, str] = {
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
}
COSTS: dict[str, str] = {"latency": "predictors.models.latency:LatencyPredictor"}
"""Predictors of something other than accuracy: saved and loaded alike, but no choice where accuracy is predicted."""


def names() -> tuple[str, ...]:
    """Every known name: the table's in its order, then installed entry points (group ``predictors``), sorted."""
    return tuple(_targets())


def predictor_class(name: str) -> type[Predictor]:
    """The class behind a name, imported now; `UnknownPredictorError` lists the known names, nearest first."""
    return _class_of(name, _targets())


def saved_class(name: str) -> type[Predictor]:
    """As `predictor_class`, for what was saved: predictors of costs too."""
    return _class_of(name, {**_targets(), **COSTS})


def _class_of(name: str, targets: dict[str, str]) -> type[Predictor]:
    if name not in targets:
        raise UnknownPredictorError(f"unknown predictor {name!r}; known: {', '.join(nearest(name, targets))}")
    module, _, attribute = targets[name].partition(":")
    found: type[Predictor] = getattr(importlib.import_module(module), attribute)
    return found


def create(name: str) -> Predictor:
    """A predictor by name, not fitted, with its default options."""
    return predictor_class(name)()


def needs_task(name: str) -> bool:
    """Whether a predictor knows other tasks, so that its networks must tell theirs (class attribute ``needs_task``)."""
    return bool(getattr(predictor_class(name), "needs_task", False))


def _targets() -> dict[str, str]:
    found = {
        point.name: point.value for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    }
    return {**PREDICTORS, **{name: value for name, value in found.items() if name not in PREDICTORS}}
