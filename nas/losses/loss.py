"""A loss: what a training makes small, as a value that a registry holds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Compute(Protocol):
    """How a loss is computed."""

    def __call__(self, logits: "Tensor", targets: "Tensor", /, *, lead: int, padded: bool) -> "Tensor":
        """Mean over the targets that count, one differentiable value for each network: shape ``logits.shape[:lead]``.

        Args:
            logits: ``(*lead, N, K)`` or ``(*lead, N, T, K)``.
            targets: the shape of `logits` without K, int64; −1 counts nowhere.
            lead: number of leading axes of networks, 0 or 1.
            padded: whether any target may be −1.
        """


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss.

    Attributes:
        name: as a task names it.
        meaning: in one line.
        compute: computes it.
        unit: printed after a value.
    """

    name: str
    meaning: str
    compute: Compute
    unit: str = ""
