"""Losses, which a training minimises; one file per loss."""

from nas.losses.loss import Loss
from nas.losses.registry import LOSSES

__all__ = ["LOSSES", "Loss"]
