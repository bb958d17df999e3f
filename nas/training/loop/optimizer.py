"""Adam (Kingma & Ba 2014, arXiv:1412.6980) and SGD with momentum on lists of tensors, with weight decay decoupled
(Loshchilov & Hutter 2017, arXiv:1711.05101) and applied to the maskable weights only.

The update is computed by torch's fused kernels, called through its functional API: the `torch.optim.Optimizer` classes cost more
per step than training a small network.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from nas.training.loop.mirror import Mirror
from nas.training.options import TrainingOptions

MOMENTUM = 0.9
BETAS = (0.9, 0.999)
EPSILON = 1e-6
"""Larger than usual, so that noise does not move weights in directions of zero true gradient (their scale, before a normalisation)."""


class Optimizer:
    """Updates `parameters` in place. Entries whose gradient was always zero never change, so masked zeros stay zero."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        options: TrainingOptions,
        *,
        decayed: Sequence[Tensor],
        mirror: Mirror | None = None,
    ) -> None:
        """`decayed` are the parameters that weight decay and the mirror steps apply to."""
        self.parameters = list(parameters)
        self._options = options
        self._mirror = mirror
        self._decayed = list(decayed)
        moments = 2 if options.optimizer == "adam" else 1
        self._moments = [[torch.zeros_like(p) for p in self.parameters] for _ in range(moments)]
        self._steps = [torch.zeros((), device=p.device) for p in self.parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """One step down the gradients."""
        if self._options.weight_decay and self._decayed:
            for weight in self._decayed:
                weight.mul_(1 - learning_rate * self._options.weight_decay)
        mirrored = [] if self._mirror is None else self._mirrored(gradients, self._mirror, learning_rate)
        if self._options.optimizer == "adam":
            self._adam(list(gradients), learning_rate)
        else:
            self._sgd(list(gradients), learning_rate)
        for weight, factor in mirrored:
            weight.mul_(factor)

    def _mirrored(
        self, gradients: Sequence[Tensor], mirror: Mirror, learning_rate: float
    ) -> list[tuple[Tensor, Tensor]]:
        """Weights and the factors of their mirror step."""
        own = {id(weight) for weight in self._decayed}
        return [
            (parameter, mirror.factor(parameter, gradient, learning_rate))
            for parameter, gradient in zip(self.parameters, gradients, strict=True)
            if id(parameter) in own
        ]

    def select(self, parameters: Sequence[Tensor], decayed: Sequence[Tensor], rows: Tensor) -> None:
        """Continue with only some networks of a stack: their parameters, and their rows of the moments."""
        self.parameters, self._decayed = list(parameters), list(decayed)
        self._moments = [[moment[rows] for moment in moments] for moments in self._moments]

    def forget(self, index: int, mask: Tensor) -> None:
        """Set the moments of one parameter to zero where `mask` is 0."""
        for moments in self._moments:
            moments[index].mul_(mask)

    def _adam(self, gradients: list[Tensor], learning_rate: float) -> None:
        means, squares = self._moments
        adam(
            self.parameters,
            gradients,
            means,
            squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=learning_rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )

    def _sgd(self, gradients: list[Tensor], learning_rate: float) -> None:
        sgd(
            self.parameters,
            gradients,
            list[Tensor | None](self._moments[0]),
            fused=True,
            weight_decay=0.0,
            momentum=MOMENTUM,
            lr=learning_rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )


def learning_rate(options: TrainingOptions, step: int, steps: int) -> float:
    """At step `step` of `steps`: constant, or half a cosine from the start value towards zero."""
    if options.schedule == "constant":
        return options.learning_rate
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))


def clip(gradients: Sequence[Tensor], limit: float, *, lead: int) -> None:
    """Scale the gradients of each network down to a norm of at most `limit`, in place; axis 0 counts networks if `lead` is 1."""
    norms = torch.stack([torch.linalg.vector_norm(g.flatten(lead), dim=-1) for g in gradients])
    scale = (limit / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
    if lead:
        for gradient in gradients:
            gradient.mul_(scale.reshape(-1, *[1] * (gradient.dim() - 1)))
    else:
        for gradient in gradients:
            gradient.mul_(scale)
