"""A loss, which a training minimises, as an entry of a registry."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Compute(Protocol):
    """A function that computes a loss."""

    def __call__(self, logits: "Tensor", targets: "Tensor", /, *, lead: int, padded: bool) -> "Tensor":
        """Mean over all targets that are not ignored; one differentiable value per network, shape ``logits.shape[:lead]``.

        Args:
            logits: ``(*lead, N, K)`` or ``(*lead, N, T, K)``.
            targets: int64 in the shape of `logits` without K; −1 is ignored.
            lead: number of leading axes of networks, 0 or 1.
            padded: whether any target may be −1.
        """


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss of a training.

    Attributes:
        name: name in a task.
        meaning: description in one line.
        compute: function that computes it.
        unit: text printed after a value.
    """

    name: str
    meaning: str
    compute: Compute
    unit: str = ""
