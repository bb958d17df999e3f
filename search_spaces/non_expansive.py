"""Non-expansive blocks, one explicit Euler step of a gradient flow each (Celledoni et al. 2022, arXiv:2210.02373).

    x ← x − h·Aᵀσ(A·x + b),   1-Lipschitz where h·s·‖A‖₂² ≤ 2 and σ never falls and has no slope above s.

A is one initializer that two Gemm nodes read, upright and turned, so that both share its mask. The paper bounds the spectral
norm; here ‖A‖₁·‖A‖_∞ is bounded, which is never less and which no mask raises (see `onnx_graph.norm_bound`). The step h is 1:
any other step common to all blocks is that of a network whose first and last layer are scaled.
"""

from collections.abc import Callable

import onnx_ir as ir

from onnx_graph.internals import set_norm_bound
from search_spaces.network_builder import NetworkBuilder, size

STEP = 1.0
FALLING = frozenset({"silu"})
"""Activations that fall somewhere: a step along them may expand, however short."""
_STEEPEST = {"selu": 1.7581}
"""Largest slope of an activation where it is not 1."""


def non_expansive_block(
    builder: NetworkBuilder,
    x: ir.Value,
    activation: str,
    activate: Callable[[ir.Value, str], ir.Value],
    name: str,
    *,
    alpha: float = 1.0,
) -> ir.Value:
    """Append a block that reads and gives ``(N, width)``.

    Args:
        activation: not one of `FALLING`.
        activate: appends the activation behind a value, under a name.
        alpha: factor of A wherever it is read.
    """
    inner = builder.gemm(x, size(x), name, alpha=alpha)
    weight = builder.initializer(f"{name}.weight")
    set_norm_bound(weight, 2 / (STEP * _STEEPEST.get(activation, 1.0) * alpha**2))
    step = builder.turned_gemm(activate(inner, f"{name}.activation"), weight, f"{name}.step", alpha=-STEP * alpha)
    return builder.add(x, step, f"{name}.sum")
