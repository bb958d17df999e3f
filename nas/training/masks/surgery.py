"""Optimal Brain Surgeon of one layer: the order in which weights are removed, and how the others compensate (Hassibi & Stork 1993).

Rows of a layer share no weights, so each is a separate least squares problem: with H = E[x xᵀ] and S the weights that a row still
has, removing q costs ½·w_q² / [H_SS⁻¹]_qq and changes the others by −w_q / [H_SS⁻¹]_qq · H_SS⁻¹e_q. The remaining weights are then
the minimum [H_SS]⁻¹ (H w)_S of the row's error, independent of the order in which the others were removed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nas.training.masks.own_network import OwnNetwork, finite
from nas.training.stack.weight_layer import Layer

ENTRIES = 1 << 23
"""Numbers in the matrices that are inverted at once."""


@dataclass(frozen=True, eq=False)
class Surgery:
    """One layer of one network.

    Attributes:
        weight: trained weight, canonical ``(out, in, *kernel)``.
        bias: trained bias ``(out,)``, or None if it does not compensate; it is never removed.
        moments: H, ``(groups, d, d)`` float64, positive definite; d counts the bias.
    """

    weight: Tensor
    bias: Tensor | None
    moments: Tensor

    @classmethod
    def of(cls, network: OwnNetwork, layer: Layer, moments: Tensor) -> "Surgery":
        """A layer of a network with the damped moments of its inputs (see `input_moments`).

        In a network that diverged, NaN and infinity count as zero.
        """
        weight, bias = finite(network.weight(layer)), None
        if layer.bias is not None and moments.shape[1] > weight[0].numel():
            bias = finite(network.tensor(layer.bias)).reshape(-1)
        return cls(weight, bias, moments)

    def worth(self, mask: Tensor) -> Tensor:
        """The cost of each kept weight at the moment when it is removed, as a share of the layer's mean squared output; canonical."""
        found = [
            elimination(rows, moments, support, support & self._may_go(support))
            for rows, moments, support in self._groups(mask)
        ]
        return torch.cat(found)[:, : mask[0].numel()].reshape(mask.shape) / max(self.energy, 1e-30)

    def refit(self, mask: Tensor) -> tuple[Tensor, Tensor | None]:
        """The weight and bias that change the output least under the mask."""
        found = torch.cat([refit(rows, moments, support) for rows, moments, support in self._groups(mask)])
        weight = found[:, : mask[0].numel()].reshape(mask.shape)
        return weight, None if self.bias is None else found[:, -1]

    @cached_property
    def energy(self) -> float:
        """Mean over the inputs of the squared output without its bias, summed over the rows."""
        weight = self.weight.flatten(1).to(torch.float64).chunk(len(self.moments))
        size = self.weight[0].numel()
        return sum(float((w @ h[:size, :size] * w).sum()) for w, h in zip(weight, self.moments, strict=True))

    def _groups(self, mask: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Rows, H and support of each group."""
        rows, support = self.weight.flatten(1).to(torch.float64), mask.flatten(1)
        if self.bias is not None:
            rows = torch.cat([rows, self.bias.to(rows)[:, None]], 1)
            support = torch.cat([support, torch.ones_like(support[:, :1])], 1)
        count = len(self.moments)
        return list(zip(rows.chunk(count), self.moments, support.chunk(count), strict=True))

    def _may_go(self, support: Tensor) -> Tensor:
        weights = torch.ones_like(support)
        weights[:, self.weight[0].numel() :] = False
        return weights


def refit(rows: Tensor, moments: Tensor, support: Tensor) -> Tensor:
    """The weights on given supports (bool) that change the outputs of rows ``(n, d)`` least; zero outside of the support."""
    size = _at_once(support)
    return torch.cat(
        [
            _refit(part, moments, own)
            for part, own in zip(torch.split(rows, size), torch.split(support, size), strict=True)
        ]
    )


def elimination(rows: Tensor, moments: Tensor, support: Tensor, may_go: Tensor) -> Tensor:
    """Saliencies ``(n, d)`` by the order in which the weights of each row are removed, the cheapest first, until no weight remains.

    A weight's saliency is the largest cost up to and including its own. So it rises along the order, and the weights above any
    threshold are those that remain when the others have been removed one by one. Zero where `may_go` is False.
    """
    size = _at_once(support)
    parts = zip(torch.split(rows, size), torch.split(support, size), torch.split(may_go, size), strict=True)
    return torch.cat([_elimination(part, moments, own, going) for part, own, going in parts])


def _elimination(rows: Tensor, moments: Tensor, support: Tensor, may_go: Tensor) -> Tensor:
    """The same for rows whose matrices are inverted at once; again whenever half of the weights have been removed."""
    saliencies, highest = torch.zeros_like(rows), rows.new_zeros(len(rows))
    rows, support, may_go = rows * support, support.clone(), may_go.clone()
    while bool(may_go.any()):
        index, real = _gathered(support)
        inverse, weight = _inverse(moments, index, real, support), rows.gather(1, index) * real
        free = may_go.gather(1, index) & real
        for position, cost in _steps(inverse, weight, free):
            gone = index.gather(1, position[:, None])
            going = cost.isfinite()[:, None]
            highest = torch.where(going[:, 0], highest.maximum(cost), highest)
            saliencies.scatter_(1, gone, torch.where(going, highest[:, None], saliencies.gather(1, gone)))
            support.scatter_(1, gone, support.gather(1, gone) & ~going)
        may_go &= support
        rows.scatter_(1, index, weight)
        rows *= support
    return saliencies


def _steps(inverse: Tensor, weight: Tensor, free: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Remove half of the weights, one per row at a time: its position ``(n,)`` and its cost, infinite if no weight remained.

    `weight` is compensated in place. The inverse without the removed weights is the given inverse minus Σ u uᵀ, where u is the
    column of a removed weight (when it was removed) divided by the root of its diagonal entry. Only the u are stored; the matrix
    itself is never changed.
    """
    rows, width = weight.shape
    steps = max(1, (int(free.sum(1).max()) + 1) // 2)
    factors = weight.new_zeros(rows, steps, width)
    diagonal = inverse.diagonal(dim1=1, dim2=2).clone()
    for step in range(steps):
        costs = (0.5 * weight.square() / diagonal.clamp(min=1e-300)).masked_fill(~free, torch.inf)
        cost, position = costs.min(1)
        at = position[:, None]
        column = inverse.gather(2, at[:, None].expand(-1, width, 1)).squeeze(2)
        earlier = factors[:, :step]
        column = column - torch.einsum(
            "ns,nsk->nk", earlier.gather(2, at[:, None].expand(-1, step, 1)).squeeze(2), earlier
        )
        pivot = diagonal.gather(1, at).clamp(min=1e-300)
        going = cost.isfinite()[:, None]
        factors[:, step] = torch.where(going, column / pivot.sqrt(), 0)
        weight -= torch.where(going, weight.gather(1, at) / pivot * column, 0)
        weight.scatter_(1, at, torch.where(going, 0, weight.gather(1, at)))
        diagonal -= factors[:, step].square()
        free.scatter_(1, at, False)
        yield position, cost


def _refit(rows: Tensor, moments: Tensor, support: Tensor) -> Tensor:
    index, real = _gathered(support)
    target = (rows @ moments).gather(1, index) * real
    found = torch.cholesky_solve(target.unsqueeze(2), _factor(moments, index, real)).squeeze(2)
    return torch.zeros_like(rows).scatter(1, index, found)


def _inverse(moments: Tensor, index: Tensor, real: Tensor, support: Tensor) -> Tensor:
    """[H_SS]⁻¹ of each row ``(n, width, width)``."""
    if bool(support.all()):
        return torch.cholesky_inverse(torch.linalg.cholesky(moments)).expand(len(index), -1, -1)
    return torch.cholesky_inverse(_factor(moments, index, real))


def _factor(moments: Tensor, index: Tensor, real: Tensor) -> Tensor:
    """Cholesky factor of H restricted to each row's weights; rows with fewer have equations of their own, v = 0."""
    restricted = moments[index[:, :, None], index[:, None, :]] * (real[:, :, None] & real[:, None, :])
    factor: Tensor = torch.linalg.cholesky(restricted + torch.diag_embed((~real).to(moments.dtype)))
    return factor


def _gathered(support: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of each row's weights, as many as the longest row has, and whether they are weights of this one."""
    width = max(1, int(support.sum(1).max()))
    index = support.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :width]
    return index, support.gather(1, index)


def _at_once(support: Tensor) -> int:
    return max(1, ENTRIES // max(int(support.sum(1).max()), 1) ** 2)
