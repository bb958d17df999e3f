"""Selection of an exact number of weights by their saliency, for every network of a stack; ties go to the earlier weight.

Saliencies and masks are canonical tensors ``(P, out, in, *kernel)`` by weight name, in node order; counts are int64 ``(P,)``.
A threshold would keep one weight too many or, on ties, all of them; so ranks are compared instead.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

Masks = dict[str, Tensor]


def keep_largest(
    saliencies: Mapping[str, Tensor], counts: Tensor, among: Mapping[str, Tensor], *, least: int = 0
) -> Masks:
    """The `counts` largest saliencies of each network, all weights together.

    Args:
        saliencies: weights with larger values are kept first; NaN counts as the smallest.
        counts: number of weights to keep, for each network.
        among: bool, True where a weight may be kept.
        least: smallest number of weights that every layer keeps (its best ones), if `counts` allows it.
    """
    names = list(saliencies)
    rows = {name: _ranked(saliencies[name], among[name]) for name in names}
    if least:
        for name in names:
            best = rows[name].argsort(dim=1, descending=True, stable=True)[:, :least]
            rows[name] = rows[name].scatter(1, best, torch.inf)
    allowed = torch.cat([among[name].flatten(1) for name in names], 1)
    flat = torch.where(allowed, torch.cat([rows[name] for name in names], 1), -torch.inf)
    kept = (ranks(flat) < counts.to(flat.device)[:, None]) & allowed
    parts = torch.split_with_sizes(kept, [rows[name].shape[1] for name in names], dim=1)
    return {name: part.reshape(saliencies[name].shape) for name, part in zip(names, parts, strict=True)}


def keep_largest_of_each(
    saliencies: Mapping[str, Tensor], counts: Mapping[str, Tensor], among: Mapping[str, Tensor]
) -> Masks:
    """The largest saliencies of each layer of each network, `counts[name]` of them."""
    return {name: keep_largest({name: saliency}, counts[name], among)[name] for name, saliency in saliencies.items()}


def ranks(values: Tensor) -> Tensor:
    """Rank of every entry in its row ``(P, N)``, 0 for the largest; equal ones in order."""
    order = values.argsort(dim=1, descending=True, stable=True)
    positions = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, positions)


def count(masks: Mapping[str, Tensor]) -> Tensor:
    """Weights kept by each network, int64 ``(P,)``."""
    return torch.stack([mask.flatten(1).sum(1) for mask in masks.values()]).sum(0)


def _ranked(saliency: Tensor, among: Tensor) -> Tensor:
    """Saliencies ``(P, N)`` in which a weight that may be kept is never as bad as one that may not."""
    worst = torch.finfo(saliency.dtype).min
    flat = saliency.detach().flatten(1).nan_to_num(nan=worst, neginf=worst)
    return torch.where(among.flatten(1), flat, -torch.inf)
