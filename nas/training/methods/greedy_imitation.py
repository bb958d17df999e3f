"""Greedy optimisation of units: local imitation and the global loss, the better of both (Ye, Wu & Liu 2020, arXiv:2010.15969).

The chosen units' contributions to the next layer are multiplied by coefficients a. Each step moves a to (1 − γ)·a + γ·U·e_i, with
the unit i and the γ in [0, 1] that lower the error most. *Local* error: the mean squared difference to the sum in the trained
network; its best i and γ are known exactly, and it falls exponentially with the number of steps. *Global* error: the network's
loss; i is the best by its first-order Taylor expansion, γ is the best of a few values. For each layer the choice with the lower
loss is taken.

Where we differ: γ is at most ½ after the first step, so that chosen units stay chosen; after three steps for each wanted unit only
new units may be added, so that the wanted number is reached; the weights of the chosen units are pruned to the exact number (see
`unit_selection`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.training.masks.mean_field import Choice, MeanField, candidates, comparable
from nas.training.methods.unit_selection import UnitSelection

SMALLEST = 2.0**-8
LARGEST = 0.5


@dataclass(frozen=True, kw_only=True)
class GreedyImitation(UnitSelection):
    """Greedy imitation; the options are those of `UnitSelection`."""

    def choose(self, layer: MeanField, count: int) -> Choice:
        """Choose units by both errors and take the choice with the lower loss."""
        return min(
            (local_imitation(layer, count), taylor_imitation(layer, count)),
            key=lambda choice: layer.loss_of(choice.coefficients),
        )


@torch.no_grad()
def local_imitation(layer: MeanField, count: int) -> Choice:
    """Choose `count` units by the local error; `errors` gives mean squared differences to the sum of all units."""
    target = (layer.target - layer.rest).flatten().double()
    each = layer.contributions.flatten(1).double()
    scale = 1 / len(target)
    gram, product, square = each @ each.T * scale, each @ target * scale, float(target @ target) * scale
    a, live, units, errors = torch.zeros_like(product), layer.live, list[int](), list[float]()
    every = float(live.sum())
    while not units or units[-1] < count:
        gains, gammas = _moves(gram, product, a, every, LARGEST if units else 1.0)
        index = int(comparable(gains).masked_fill(~candidates(a > 0, live, count, len(units)), torch.inf).argmin())
        a = (1 - gammas[index]) * a
        a[index] += gammas[index] * every
        units.append(int((a > 0).sum()))
        errors.append(max(float(a @ gram @ a - 2 * a @ product) + square, 0.0))
    return Choice(a.to(layer.rest.dtype), units, errors)


def _moves(gram: Tensor, product: Tensor, a: Tensor, every: float, largest: float) -> tuple[Tensor, Tensor]:
    """For every unit, the change of ½·aᵀGa − aᵀb with the best γ, and that γ."""
    slope = gram @ a - product
    # Slope and curvature along the direction U·e_i − a.
    along = every * slope - slope @ a
    curvature = every**2 * gram.diagonal() - 2 * every * (gram @ a) + a @ gram @ a
    gammas = (-along / curvature.clamp(min=1e-30)).clamp(SMALLEST, largest)
    return gammas * along + 0.5 * gammas.square() * curvature, gammas


def taylor_imitation(layer: MeanField, count: int) -> Choice:
    """Choose `count` units by the global error; `errors` gives losses of the network."""
    a, live = torch.zeros_like(layer.live, dtype=layer.rest.dtype), layer.live
    every, units, errors = float(live.sum()), list[int](), list[float]()
    output = layer.rest
    while not units or units[-1] < count:
        step = len(units)
        steepest = comparable(_slopes(layer, output, every)).masked_fill(
            ~candidates(a > 0, live, count, step), torch.inf
        )
        index = int(steepest.argmin())
        gammas = _gammas(step, output)
        towards = layer.rest + every * layer.contributions[index]
        outputs = torch.stack([torch.lerp(output, towards, gamma) for gamma in gammas])
        best, which = layer.loss(outputs).detach().min(0)
        a, output = (1 - gammas[which]) * a, outputs[which]
        a[index] += gammas[which] * every
        units.append(int((a > 0).sum()))
        errors.append(float(best))
    return Choice(a, units, errors)


def _slopes(layer: MeanField, output: Tensor, every: float) -> Tensor:
    """Derivative of the loss in the direction of U·e_i, for every unit."""
    given = output.detach()[None].requires_grad_()
    (gradient,) = torch.autograd.grad(layer.loss(given).sum(), given)
    towards = every * torch.einsum("u...,...->u", layer.contributions, gradient[0])
    return towards - ((output - layer.rest) * gradient[0]).sum()


def _gammas(step: int, like: Tensor) -> Tensor:
    """The values of γ that are tried: powers of two, and the step of a running mean."""
    largest = LARGEST if step else 1.0
    powers = [2.0**-power for power in range(9)]
    return like.new_tensor([gamma for gamma in [*powers, 1 / (step + 1)] if SMALLEST <= gamma <= largest])
