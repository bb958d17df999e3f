"""Tailored rectifiers for deep plain networks (TAT; Zhang, Botev and Martens 2022, arXiv:2203.08120).

A leaky rectifier of slope α, scaled by sqrt(2 / (1 + α²)), maps the cosine c between the pre-activations of two examples to

    C(c) = c + (1 − α)² / (π (1 + α²)) · (sqrt(1 − c²) − c · arccos(c)).

In a deep network of rectifiers all cosines end at 1, so the last layer cannot distinguish examples. The tailored slope is the
one at which two orthogonal examples leave the last layer with cosine η. The scale is part of the initial weights, which depend
on the slope. If plain rectifiers (α = 0) stay below η, as in shallow networks, the slope is 0.
"""

import math
from functools import lru_cache

TARGET = 0.9
"""η, the paper's value for networks without skips."""
_HALVINGS = 50
_DIGITS = 6
"""Digits of the slope, rounded so that a candidate has the same bits on machines whose arccos differs in its last bit."""


def cosine(c: float, slope: float) -> float:
    """C(c): the cosine after one layer with leaky rectifiers of that slope."""
    angle_term = math.sqrt(max(0.0, 1 - c * c)) - c * math.acos(max(-1.0, min(1.0, c)))
    return min(1.0, c + (1 - slope) ** 2 / (math.pi * (1 + slope * slope)) * angle_term)


def last_cosine(depth: int, slope: float) -> float:
    """The cosine after `depth` layers, of examples that are orthogonal before them."""
    c = 0.0
    for _ in range(depth):
        c = cosine(c, slope)
    return c


@lru_cache(maxsize=256)
def tailored_slope(depth: int) -> float:
    """The slope in [0, 1) at which `last_cosine` is `TARGET`; 0 if the cosine stays below it for every slope."""
    if last_cosine(depth, 0.0) <= TARGET:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # The larger the slope, the more linear the layer, and a linear layer changes no cosine.
        low, high = (middle, high) if last_cosine(depth, middle) > TARGET else (low, middle)
    return round((low + high) / 2, _DIGITS)
