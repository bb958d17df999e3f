"""Optimal Brain Damage (LeCun, Denker & Solla 1990): ½·h·w² with h the diagonal of the loss's curvature.

As in the paper h is the Levenberg–Marquardt (Gauss–Newton) diagonal, which is never negative. For cross entropy it equals the
true Fisher information, mean over the examples of Jᵀ(diag(p) − p pᵀ)J, with J the Jacobian of the logits and p the softmax. We
do not propagate second derivatives layer by layer, which would need code for every operator, but probe: B = diag(√p) − p √pᵀ
has B Bᵀ = diag(p) − p pᵀ, so for random signs v, drawn for every example, the square of the gradient of Σ (B v)·logits is
an unbiased estimate of the whole batch's diagonal, for any operators. The mean of the squared *training* gradients would be
cheaper, but only the wrongly classified examples count in it once a network fits its data. The relative
standard error of h is at most √(2 / probes): 22 % for 40; a probe costs one training step.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nas.metrics import IGNORED
from nas.training.saliencies.criterion import Saliencies

if TYPE_CHECKING:
    from nas.training.loop.session import Session

PROBES = 40
_STREAM = 21


def optimal_brain_damage(session: "Session") -> Saliencies:
    """The second-order rise of the loss when only this weight is removed: ½·h·w²."""
    curvature = curvature_diagonal(session, PROBES)
    return {name: 0.5 * curvature[name] * weight.square() for name, weight in session.weights().items()}


def curvature_diagonal(session: "Session", probes: int) -> Saliencies:
    """Diagonal of the Gauss–Newton matrix of the mean loss, estimated from `probes` batches."""
    leaves = [session.stack.parameters[layer.name] for layer in session.layers]
    total = [torch.zeros_like(leaf) for leaf in leaves]
    for probe in range(probes):
        gradients = torch.autograd.grad(_probed(session, probe), leaves, materialize_grads=True)
        for sum_, gradient in zip(total, gradients, strict=True):
            sum_.addcmul_(gradient, gradient)
    return {
        layer.name: session.stack.canonical(layer.name, sum_ / probes)
        for layer, sum_ in zip(session.layers, total, strict=True)
    }


def _probed(session: "Session", probe: int) -> Tensor:
    """Σ (B v)·logits over all networks, over the square root of each one's number of targets."""
    x, targets = session.sample(session.options.batch_size)
    buffers = session.stack.buffers
    logits = session.stack.forward(x)
    # Normalisation statistics stay as they are.
    session.stack.buffers = buffers
    counted = (targets != IGNORED).reshape(len(session), -1).sum(1).clamp(min=1)
    signs = _signs(session, probe, logits)
    direction = _direction(logits.detach(), signs) * (targets != IGNORED).unsqueeze(-1)
    each = (direction * logits).reshape(len(session), -1).sum(1)
    return (each / counted.sqrt()).sum()


def _direction(logits: Tensor, signs: Tensor) -> Tensor:
    """B v for every example."""
    p = logits.softmax(-1)
    root = p.sqrt() * signs
    return root - p * root.sum(-1, keepdim=True)


def _signs(session: "Session", probe: int, logits: Tensor) -> Tensor:
    """−1 or 1 for every logit, of each network's own seed."""
    epochs = len(session.histories[0].losses)
    generators = [np.random.default_rng((abs(seed), _STREAM, epochs, probe)) for seed in session.seeds]
    shape = tuple(logits.shape[session.stack.lead :])
    drawn = np.stack([2 * generator.integers(0, 2, shape) - 1 for generator in generators])
    return torch.from_numpy(drawn.astype(np.float32)).to(logits.device).reshape(logits.shape)
