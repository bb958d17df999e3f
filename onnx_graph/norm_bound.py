"""Bounds on the norms of weights, stated in the graph: training keeps a bounded weight A within ‖A‖₁·‖A‖_∞ ≤ bound.

‖A‖₁ and ‖A‖_∞ are the largest absolute column and row sum. Their product is at least the squared spectral norm, it does not
change when A is transposed, and setting entries of A to zero never raises it, so the bound holds under every mask. It is stored in
the metadata of the initializer, which clones, files and `onnx_graph.shrink` preserve.
"""

import math

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.errors import InvalidModelError

NORM_BOUND_KEY = "nas.norm_bound"


def set_norm_bound(weight: ir.Value, bound: float) -> None:
    """State the bound of an initializer, > 0."""
    weight.metadata_props[NORM_BOUND_KEY] = repr(float(bound))


def norm_bounds(model: ir.Model) -> dict[str, float]:
    """Bound by initializer name, for the matrices that have one; raises `InvalidModelError` if a bound is not a positive number."""
    return {
        name: _read(name, value.metadata_props[NORM_BOUND_KEY])
        for name, value in model.graph.initializers.items()
        if NORM_BOUND_KEY in value.metadata_props and value.shape is not None and len(value.shape) == 2
    }


def within(array: NDArray[np.float32], bound: float) -> NDArray[np.float32]:
    """The matrix, scaled down if it exceeds its bound."""
    sizes = np.abs(array)
    product = float(sizes.sum(axis=0).max(initial=0.0)) * float(sizes.sum(axis=1).max(initial=0.0))
    return array if product <= bound else np.asarray(array * np.float32(math.sqrt(bound / product)), np.float32)


def _read(name: str, text: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if not 0 < bound < math.inf:
        raise InvalidModelError(
            f"initializer {name!r} states {NORM_BOUND_KEY} = {text!r}; it must be a positive number"
        )
    return bound
