"""Greedy forward selection of units (Ye et al. 2020, arXiv:2003.01794).

A hidden layer is the mean of its units' contributions: with n of U chosen, their sum is multiplied by U / n. Selection starts from
nothing, and each step adds the unit with which the network's loss is least: the mean moves by 1 / (n + 1) towards it. A unit may be
chosen again, which is how it gets more weight. Layers are done from the input to the output, each in the network whose
earlier layers are done.

Where we differ: units that give zero at every example are not counted in U nor chosen, and the weights of the chosen units are
pruned to the exact count (see `unit_selection`). A step takes the loss of every unit on `examples`, through
the part of the network behind the layer only.
"""

from dataclasses import dataclass

import torch

from nas.training.masks.mean_field import Choice, MeanField, candidates, comparable
from nas.training.methods.unit_selection import UnitSelection


@dataclass(frozen=True, kw_only=True)
class GreedyForward(UnitSelection):
    """Options are those of `UnitSelection`."""

    def choose(self, layer: MeanField, count: int) -> Choice:
        """By the loss."""
        return forward_selection(layer, count)


@torch.no_grad()
def forward_selection(layer: MeanField, count: int) -> Choice:
    """Choose units until there are `count` of them; `errors` are losses of the network."""
    times, total = torch.zeros(len(layer.live), device=layer.rest.device), torch.zeros_like(layer.rest)
    units, errors = list[int](), list[float]()
    live, every = layer.live, int(layer.live.sum())
    while not units or units[-1] < count:
        factor = every / (len(units) + 1)
        losses = layer.losses(layer.rest + factor * total, factor)
        allowed = candidates(times > 0, live, count, len(units))
        best, index = comparable(losses).masked_fill(~allowed, torch.inf).min(0)
        times[index] += 1
        total += layer.contributions[index]
        units.append(int((times > 0).sum()))
        errors.append(float(best))
    return Choice(every / len(units) * times, units, errors)
