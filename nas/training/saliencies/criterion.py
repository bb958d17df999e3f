"""A criterion: a function from a session to a saliency of each weight."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from nas.training.loop.session import Session

Saliencies = dict[str, Tensor]
"""Canonical ``(P, out, in, *kernel)`` by weight name; larger = more important."""
Criterion = Callable[["Session"], Saliencies]
