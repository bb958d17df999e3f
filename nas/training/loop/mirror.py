"""The multiplicative step of hyperbolic aware minimisation, HAM (Jacobs et al. 2025, arXiv:2506.02630)."""

from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST = 0.1
"""Bound of the exponent: one step changes a weight by a tenth at most."""


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A step that an optimiser takes besides its own: w ← w·exp(−η·(α·sign(w)·g + β)).

    Attributes:
        alpha: α, the strength of the gradient's part.
        beta: β, the decay.
    """

    alpha: float
    beta: float

    def factor(self, weight: Tensor, gradient: Tensor, learning_rate: float) -> Tensor:
        """The factor of the weight, from its value and gradient before the optimiser's own step."""
        exponent = -learning_rate * (self.alpha * weight.sign() * gradient + self.beta)
        return torch.exp(exponent.clamp(-LARGEST, LARGEST))
