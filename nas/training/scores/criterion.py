"""A criterion: a function from a session to a score of each weight."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from nas.training.session import Session

Scores = dict[str, Tensor]
"""Canonical ``(P, out, in, *kernel)`` by weight name; larger is more worth keeping."""
Criterion = Callable[["Session"], Scores]
