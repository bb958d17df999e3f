"""Saliencies by which trained weights are pruned: larger = more important; canonical ``(P, out, in, *kernel)`` by name."""

from collections.abc import Mapping

from nas.errors import UsageError
from nas.training.saliencies.criterion import Criterion, Saliencies
from nas.training.saliencies.curvature import optimal_brain_damage
from nas.training.saliencies.layer_adaptive import layer_adaptive
from nas.training.saliencies.magnitudes import magnitude, magnitude_over_deviation
from nas.training.saliencies.random_order import random, uniform
from onnx_graph import require_name

CRITERIA: Mapping[str, Criterion] = {
    "magnitude": magnitude,
    "magnitude-over-deviation": magnitude_over_deviation,
    "layer-adaptive": layer_adaptive,
    "obd": optimal_brain_damage,
    "random": random,
}
"""Criteria by name, as `Prune` and `Gradual` take them."""


def require(criterion: str) -> None:
    """Raise `UsageError` for an unknown criterion; the message lists the known ones, nearest first."""
    require_name("criterion", criterion, CRITERIA, UsageError)


__all__ = [
    "CRITERIA",
    "Criterion",
    "Saliencies",
    "layer_adaptive",
    "magnitude",
    "magnitude_over_deviation",
    "optimal_brain_damage",
    "random",
    "require",
    "uniform",
]
