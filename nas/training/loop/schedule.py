"""Schedules of density and of moved weights over a training; progress runs from 0 to 1."""

import math


def cubic(progress: float, final: float) -> float:
    """Density from 1 to `final`, fast at first (Zhu & Gupta 2017, arXiv:1710.01878)."""
    left = 1 - min(max(progress, 0.0), 1.0)
    return final + (1 - final) * left**3


def cosine(progress: float) -> float:
    """From 1 to 0 along half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


def geometric(step: int, steps: int, final: float) -> float:
    """Density after `step` of `steps` rounds that each remove the same share of the remaining weights."""
    return float(final ** (step / steps))
