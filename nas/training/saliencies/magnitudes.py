"""Magnitude, as it is and in units of its layer's standard deviation (See et al. 2016, arXiv:1606.09274)."""

from typing import TYPE_CHECKING

from torch import Tensor

from nas.training.saliencies.criterion import Saliencies

if TYPE_CHECKING:
    from nas.training.loop.session import Session


def magnitude(session: "Session") -> Saliencies:
    """\\|w\\|: with one threshold for all layers class-blinded, with one for each class-uniform."""
    return {name: weight.abs() for name, weight in session.weights().items()}


def magnitude_over_deviation(session: "Session") -> Saliencies:
    """\\|w\\| over the standard deviation of its layer's kept weights: class-distributed."""
    masks = session.masks()
    return {name: weight.abs() / _deviation(weight, masks[name]) for name, weight in session.weights().items()}


def _deviation(weight: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation of the kept weights of each network, in a shape that divides them."""
    kept, count = weight * mask, mask.flatten(1).sum(1).clamp(min=1)
    mean = kept.flatten(1).sum(1) / count
    square = kept.square().flatten(1).sum(1) / count
    deviation = (square - mean.square()).clamp(min=1e-24).sqrt()
    return deviation.reshape(-1, *[1] * (weight.dim() - 1))
