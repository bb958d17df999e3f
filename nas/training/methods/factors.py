"""Factors of the weights, learnt together with them by an optimiser of their own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nas.training.loop import selection
from nas.training.loop.callback import Callback

if TYPE_CHECKING:
    from nas.training.loop.session import Session

MOMENTUM = 0.9
STEPS = 500


class Factors(Callback["Session"]):
    """Learnt values, one for every maskable weight: the weight is multiplied by `factor` of it, and the mask is read from it.

    Values move by gradient descent with momentum on gradients that are divided by each network's root mean square. So a step has the
    same size in every network and at every time, independent of the weights' learning rate. Adam divides by the root mean square of
    each value and would move unimportant values as far as important ones.

    Attributes:
        values: learnt values by weight name, in the stack's orientation; 0 where a weight was masked from the start.
        total: number of weights that were not masked from the start, int64 ``(P,)``.
    """

    def __init__(self, *, start: float, rate: float) -> None:
        """Values begin at `start`; `rate` is the root mean square of a step in a constant direction, if there are `STEPS` steps.

        In a longer search each step is smaller, so that values move equally far in a search of any length: with factors
        that keep growing, the weights' own steps would grow until they diverge.
        """
        self.start, self.rate = start, rate

    def begin(self, session: "Session", steps: int) -> None:
        """Make the values."""
        super().begin(session, steps)
        masks = session.masks()
        self.total = selection.count(masks)
        self.values = {
            name: session.stack.stored(name, self.start * mask.to(torch.float32)).requires_grad_()
            for name, mask in masks.items()
        }
        self.leaves = tuple(self.values.values())
        self._moments = [torch.zeros_like(value) for value in self.leaves]

    def factor(self, name: str) -> Tensor:
        """The factors of the weights of that name, in the stack's orientation; gradients flow through them."""
        return self.values[name]

    def effective(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Weights times factors."""
        return {**parameters, **{name: parameters[name] * self.factor(name) for name in self.values}}

    @torch.no_grad()
    def learn(self, gradients: tuple[Tensor, ...], learning_rate: float) -> None:
        """Move the values."""
        masks = self.session.masks()
        canonical = {
            name: self.session.stack.canonical(name, gradient) * masks[name]
            for name, gradient in zip(self.values, gradients, strict=True)
        }
        scale = (squares(canonical) / self.total).sqrt().clamp(min=1e-12)
        for (name, gradient), value, moment in zip(canonical.items(), self.leaves, self._moments, strict=True):
            unit = self.session.stack.stored(name, gradient / per_network(scale, gradient))
            value.sub_(moment.lerp_(unit, 1 - MOMENTUM), alpha=self.rate * min(1.0, STEPS / self.steps))

    def canonical(self) -> dict[str, Tensor]:
        """The values, detached, ``(P, out, in, *kernel)``: views where possible, to be read only."""
        return {name: self.session.stack.canonical(name, value.detach()) for name, value in self.values.items()}

    @torch.no_grad()
    def put(self, values: Mapping[str, Tensor]) -> None:
        """Replace the values by canonical ones."""
        for name, value in values.items():
            self.values[name].copy_(self.session.stack.stored(name, value))


def squares(tensors: Mapping[str, Tensor]) -> Tensor:
    """Sum of squares of each network ``(P,)``."""
    return torch.stack([tensor.square().flatten(1).sum(1) for tensor in tensors.values()]).sum(0)


def per_network(numbers: Tensor, tensor: Tensor) -> Tensor:
    """Numbers ``(P,)`` shaped to meet a canonical tensor."""
    return numbers.reshape(-1, *[1] * (tensor.dim() - 1))
