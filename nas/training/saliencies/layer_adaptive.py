"""Layer-adaptive magnitude, LAMP (Lee et al. 2021, arXiv:2010.07611).

The saliency of a weight is its square divided by the sum of squares of those weights of its layer that are at least as large. The
largest weight of every layer has saliency 1, so no layer is ever emptied, and layers are compared without a tuned share for each.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nas.training.saliencies.criterion import Saliencies

if TYPE_CHECKING:
    from nas.training.loop.session import Session


def layer_adaptive(session: "Session") -> Saliencies:
    """Saliencies of the kept weights; masked weights have 0."""
    masks = session.masks()
    return {name: share_of_larger(weight * masks[name]) for name, weight in session.weights().items()}


def share_of_larger(weight: Tensor) -> Tensor:
    """w² / Σ of the squares from w² on, within each network ``(P, …)``; among equal weights the earlier one has the larger saliency."""
    squares = weight.flatten(1).double().square()
    falling, order = squares.sort(dim=1, descending=True, stable=True)
    shares = falling / falling.cumsum(1).clamp(min=torch.finfo(torch.float64).tiny)
    return torch.empty_like(shares).scatter_(1, order, shares).reshape(weight.shape)
