"""Greedy forward selection of units (Ye et al. 2020, arXiv:2003.01794).

A hidden layer is the mean of its units' contributions: if n of U units are chosen, their sum is multiplied by U / n. Selection
starts without units, and each step adds the unit that makes the network's loss least: the mean moves by 1 / (n + 1) towards it. A
unit may be chosen several times, which gives it more weight. Layers are reduced one by one from the input to the output, each in
the network whose earlier layers are already reduced.

Where we differ: units that are zero for every example are neither counted in U nor chosen, and the weights of the chosen units are
pruned to the exact number (see `unit_selection`). A step computes the loss with every unit on `examples`; only the part of the
network after the layer is evaluated.
"""

from dataclasses import dataclass

import torch

from nas.training.masks.mean_field import Choice, MeanField, candidates, comparable
from nas.training.methods.unit_selection import UnitSelection


@dataclass(frozen=True, kw_only=True)
class GreedyForward(UnitSelection):
    """Greedy forward selection; the options are those of `UnitSelection`."""

    def choose(self, layer: MeanField, count: int) -> Choice:
        """Choose units by the network's loss."""
        return forward_selection(layer, count)


@torch.no_grad()
def forward_selection(layer: MeanField, count: int) -> Choice:
    """Choose units until there are `count` of them; `errors` gives losses of the network."""
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
