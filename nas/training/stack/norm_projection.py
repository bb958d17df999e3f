"""Projection of weights back into their norm bounds after a step (the bounds: `onnx_graph.norm_bound`).

A weight that exceeds its bound is scaled down as a whole, which changes neither its mask nor its direction. This is not the
Euclidean projection, but it costs only two sums and one product.
"""

from collections.abc import Mapping

import torch
from torch import Tensor


@torch.no_grad()
def project(parameters: Mapping[str, Tensor], bounds: Mapping[str, float], *, lead: int) -> None:
    """Scale every bounded matrix ``(*lead, rows, columns)``, in place, until ‖A‖₁·‖A‖_∞ ≤ its bound.

    Args:
        parameters: parameters by name; those without a bound are not changed.
        bounds: bounds by name, > 0; names that are not parameters are ignored.
        lead: 1 if axis 0 counts networks, each of which is scaled by itself; otherwise 0.
    """
    for name, bound in bounds.items():
        matrix = parameters.get(name)
        if matrix is None or matrix.dim() != 2 + lead:
            continue
        sizes = matrix.abs()
        product = sizes.sum(dim=-2).amax(dim=-1) * sizes.sum(dim=-1).amax(dim=-1)
        # A matrix of zeros gives an infinite factor, which the clamp makes 1.
        factor = (bound / product).sqrt().clamp(max=1.0)
        matrix.mul_(factor.reshape(*factor.shape, 1, 1))
