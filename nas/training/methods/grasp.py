"""GraSP, pruning that preserves the gradient flow (Wang et al. 2020, arXiv:2002.07376).

Removing a weight changes the gradient's squared norm by about −2·w·Hg (H the Hessian, g the gradient at initialisation). The
paper removes the weights with the largest −w·Hg, so it keeps the weights whose removal would reduce the gradient flow most (the
sign counts). Hg is computed as the derivative of gᵀ·stop(g), without the Hessian itself. The logits are divided by `temperature`
before the loss, as in the authors' experiments. Every layer keeps at least one weight, which the paper does not ensure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nas.training.methods.method import MethodError
from nas.training.methods.saliency import Batch, Saliency, mean
from nas.training.saliencies import Saliencies

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Grasp(Saliency):
    """GraSP: keep the weights whose removal would reduce the gradient flow most.

    Attributes:
        temperature: divisor of the logits.
    """

    temperature: float = 200.0

    def __post_init__(self) -> None:
        """Refuse a divisor that is not positive."""
        super().__post_init__()
        if not self.temperature > 0:
            raise MethodError(f"temperature is {self.temperature}; it must be positive")

    def saliencies(self, session: "Session", batches: Sequence[Batch]) -> Saliencies:
        """w·Hg."""
        flow = mean([self._gradient(session, x, y) for x, y in batches])
        curved = mean([self._curvature(session, x, y, flow) for x, y in batches])
        weights = session.weights()
        return {
            name: weights[name] * session.stack.canonical(name, product)
            for name, product in zip(weights, curved, strict=True)
        }

    def _gradient(self, session: "Session", x: Tensor, y: Tensor, *, twice: bool = False) -> Sequence[Tensor]:
        """Gradient of the loss by every weight, in the stack's orientation; with `twice` it can be differentiated again."""
        leaves = [session.stack.parameters[layer.name] for layer in session.layers]
        loss = session.loss(x, y, temperature=self.temperature).sum()
        return torch.autograd.grad(loss, leaves, create_graph=twice, materialize_grads=True)

    def _curvature(self, session: "Session", x: Tensor, y: Tensor, flow: Sequence[Tensor]) -> Sequence[Tensor]:
        """Hg."""
        leaves = [session.stack.parameters[layer.name] for layer in session.layers]
        gradients = self._gradient(session, x, y, twice=True)
        product = torch.stack([(g * fixed).sum() for g, fixed in zip(gradients, flow, strict=True)]).sum()
        return torch.autograd.grad(product, leaves, materialize_grads=True)
