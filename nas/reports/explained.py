"""An explanation of a prediction as rows of a table, for the command line and the report."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from predictors import Explanation


def layer_rows(explanation: "Explanation") -> list[dict[str, str]]:
    """One row per weight."""
    return [
        {
            "layer": layer.name,
            "density": f"{layer.density:.3f}",
            "with all connections": _points(layer.sparsity_cost),
            "its pattern, against random ones": f"{_points(layer.pattern_worth)} ± {100 * layer.pattern_spread:.2f}",
        }
        for layer in explanation.layers
    ]


def feature_rows(explanation: "Explanation") -> list[dict[str, str]]:
    """One row per family of features."""
    return [
        {"features": one.name, "effect": f"{_points(one.effect)} ± {100 * one.error:.2f}"}
        for one in explanation.features
    ]


def _points(accuracy: float) -> str:
    return f"{100 * accuracy:+.2f} points"
