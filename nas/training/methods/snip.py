"""SNIP, single-shot pruning by connection sensitivity |g·w| (Lee et al. 2018, arXiv:1810.02340).

The gradient is that of the loss at initialisation, the mean over `examples`; the largest products of all layers are kept. The
paper divides by their sum, which does not change the order. Every layer keeps at least one weight, which the paper does not ensure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.training.methods.saliency import Batch, Saliency, mean
from nas.training.saliencies import Saliencies

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Snip(Saliency):
    """Connection sensitivity."""

    def saliencies(self, session: "Session", batches: Sequence[Batch]) -> Saliencies:
        """\\|g·w\\|."""
        weights = session.weights()
        gradients = mean([list(session.gradients(x, y).values()) for x, y in batches])
        return {name: (weights[name] * gradient).abs() for name, gradient in zip(weights, gradients, strict=True)}
