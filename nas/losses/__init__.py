"""Losses: what a training makes small; one file a loss."""

from nas.losses.loss import Loss
from nas.losses.registry import LOSSES

__all__ = ["LOSSES", "Loss"]
