"""Drop and grow while training: SET (Mocanu et al. 2018, arXiv:1707.04780) and RigL (Evci et al. 2020, arXiv:1911.11134).

Every `interval` steps, in the first `until` of the training, a share of each layer's weights (those of smallest magnitude) is
dropped, and the same number is grown among the others: at random (SET), or where the gradient is largest (RigL). The share
falls from `fraction` to zero along half a cosine. The number of weights of a layer never changes. A weight that was just
dropped is not grown again in the same update, and grown weights start from zero.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from nas.training.loop import selection
from nas.training.loop.callback import Callback
from nas.training.loop.schedule import cosine
from nas.training.methods.method import Kind, MethodError, Start
from nas.training.methods.static import Static
from nas.training.saliencies import uniform

if TYPE_CHECKING:
    from nas.training.loop.session import Session

Tensors = dict[str, Tensor]
_STREAM = 3
"""Number of the stream of the random draws."""


@dataclass(frozen=True, kw_only=True)
class Grow(Static):
    """SET and RigL: drop the smallest weights and grow others while training.

    Attributes:
        by: ``gradient`` (RigL) or ``random`` (SET).
        fraction: share of a layer's weights that the first update moves, in (0, 1).
        interval: steps between two updates.
        until: share of the training after which the mask does not change.
    """

    kind: ClassVar[Kind] = "during"
    start: ClassVar[Start] = "sparse"
    moves: ClassVar[bool] = True
    needs_data: ClassVar[bool] = True

    by: str = "gradient"
    fraction: float = 0.3
    interval: int = 20
    until: float = 0.75

    def __post_init__(self) -> None:
        """Refuse values that no update can have."""
        if self.by not in ("gradient", "random"):
            raise MethodError(f"by is {self.by!r}; give gradient or random")
        if not (0 < self.fraction < 1 and self.interval >= 1 and 0 < self.until <= 1):
            raise MethodError(
                f"fraction {self.fraction} must lie between 0 and 1, interval {self.interval} be at least 1, until {self.until} "
                "above 0 and 1 at most"
            )

    def run(self, session: "Session") -> None:
        """Train while the mask moves."""
        session.fit(callback=DropAndGrow(self), last=True)


class DropAndGrow(Callback["Session"]):
    """Callback that moves the mask between steps."""

    def __init__(self, method: Grow) -> None:
        """`method` holds the options."""
        self.method = method
        self._gradients: Tensors = {}

    def due(self, step: int) -> bool:
        """Whether the mask moves after this step."""
        return step > 0 and step % self.method.interval == 0 and step < self.method.until * self.steps

    def on_gradients(self, step: int, gradients: Tensors) -> None:
        """Store the gradients of all weights, also of masked ones, since the loop masks them in place."""
        if self.due(step) and self.method.by == "gradient":
            stack = self.session.stack
            names = [layer.name for layer in self.session.layers]
            self._gradients = {name: stack.canonical(name, gradients[name]).abs() for name in names}

    def after_step(self, step: int) -> None:
        """Drop and grow."""
        if self.due(step):
            share = self.method.fraction * cosine(step / (self.method.until * self.steps))
            weights, masks = self.session.weights(), self.session.masks()
            growth = self._growth(step)
            self.session.set_masks(
                {
                    name: moved(masks[name], weights[name].abs(), growth[name], self.session.exists[name], share)
                    for name in masks
                }
            )

    def _growth(self, step: int) -> Tensors:
        """Priority of each weight that may be grown."""
        return self._gradients if self.method.by == "gradient" else uniform(self.session, _STREAM, step)


def moved(mask: Tensor, magnitude: Tensor, growth: Tensor, exists: Tensor, share: float) -> Tensor:
    """The mask of one layer ``(P, out, in, …)`` after a drop and a growth; the count of each network is as before."""
    kept = mask.flatten(1).sum(1)
    free = exists.flatten(1).sum(1) - kept
    moving = torch.minimum((share * kept).long(), free)
    stays = selection.keep_largest({"": magnitude}, kept - moving, {"": mask})[""]
    grown = selection.keep_largest({"": growth}, moving, {"": exists & ~mask})[""]
    return stays | grown
