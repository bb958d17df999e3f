"""Sparse Momentum: weights move between layers to where the momentum is large (Dettmers & Zettlemoyer 2019, arXiv:1907.04840).

Training starts sparse. After every epoch the weights of smallest magnitude of each layer are dropped, a share that falls from
`fraction` to zero along half a cosine. As many are grown: each layer gets a part in proportion to the mean momentum of its
remaining weights, and grows those of its missing weights whose momentum is largest. So the number of weights of a layer changes,
the total does not. Grown weights start from zero.

The momentum is the moving average of the gradients of all weights, also of missing ones. Where we differ: it is an average of its
own, of factor `smoothing`, so that it means the same with every optimiser; the paper reads the one of SGD. Each layer keeps at
least one weight, a full layer passes its growth on to the others, and the mask rests after `until` of the training.

At very few weights (on digits, below 2 %) the exchange can leave a layer with so few weights that no path joins input and
output: then nothing has a gradient, and the network stays dead. A floor for every layer cost more at 2 % than it saved at 1 %. Costs
one training.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from nas.training.loop import selection
from nas.training.loop.callback import Callback
from nas.training.loop.schedule import cosine
from nas.training.loop.selection import Masks
from nas.training.methods.method import Kind, MethodError, Start
from nas.training.methods.static import Static

if TYPE_CHECKING:
    from nas.training.loop.session import Session

Tensors = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class SparseMomentum(Static):
    """Sparse Momentum: drop small weights, grow by momentum, and let layers exchange weights.

    Attributes:
        fraction: share of a layer's weights that the first move drops, in (0, 1).
        smoothing: factor of the moving average of gradients, in [0, 1).
        interval: steps between two moves; 0 for one per epoch.
        until: share of the training after which the mask does not change, in (0, 1].
    """

    kind: ClassVar[Kind] = "during"
    start: ClassVar[Start] = "sparse"
    moves: ClassVar[bool] = True
    needs_data: ClassVar[bool] = True

    fraction: float = 0.3
    smoothing: float = 0.9
    interval: int = 0
    until: float = 0.75

    def __post_init__(self) -> None:
        """Refuse values that no move can have."""
        super().__post_init__()
        if not (0 < self.fraction < 1 and 0 <= self.smoothing < 1 and self.interval >= 0 and 0 < self.until <= 1):
            raise MethodError(
                f"fraction {self.fraction} must lie between 0 and 1, smoothing {self.smoothing} be 0 or more and below 1, "
                f"interval {self.interval} 0 or more, until {self.until} above 0 and 1 at most"
            )

    def run(self, session: "Session") -> None:
        """Train while the mask moves."""
        session.fit(callback=Moves(self), last=True)


class Moves(Callback["Session"]):
    """Callback that averages gradients and moves the mask between steps."""

    def __init__(self, method: SparseMomentum) -> None:
        """`method` holds the options."""
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """Momentum starts at zero."""
        super().begin(session, steps)
        self._interval = self.method.interval or session.steps_per_epoch
        self._last = self.method.until * steps
        self._momentum = {name: torch.zeros_like(weight) for name, weight in session.weights().items()}

    def due(self, step: int) -> bool:
        """Whether the mask moves after this step."""
        return (step + 1) % self._interval == 0 and step + 1 < self._last

    def on_gradients(self, step: int, gradients: Tensors) -> None:
        """Average the gradients of all weights; the loop masks them afterwards, in place."""
        for name, moment in self._momentum.items() if step < self._last else ():
            moment.lerp_(self.session.stack.canonical(name, gradients[name]), 1 - self.method.smoothing)

    def after_step(self, step: int) -> None:
        """Drop and grow."""
        if self.due(step):
            share = self.method.fraction * cosine((step + 1) / self._last)
            session = self.session
            momentum = {name: moment.abs() for name, moment in self._momentum.items()}
            session.set_masks(moved(session.masks(), session.weights(), momentum, session.exists, share))


def moved(masks: Masks, weights: Tensors, momentum: Tensors, exists: Masks, share: float) -> Masks:
    """The masks after `share` of each layer was dropped and as many weights in total were grown; all ``(P, out, in, …)``.

    `momentum` is not negative. A weight that was just dropped may be grown again if its momentum is among the largest.
    """
    stay = {name: _after_drop(mask, weights[name], share) for name, mask in masks.items()}
    dropped = selection.count(masks) - selection.count(stay)
    missing = {name: exists[name] & ~mask for name, mask in stay.items()}
    room = torch.stack([mask.flatten(1).sum(1) for mask in missing.values()], 1)
    means = torch.stack([_mean(momentum[name], mask) for name, mask in stay.items()], 1)
    grown = divided(dropped, means, room)
    return {
        name: mask | selection.keep_largest({"": momentum[name]}, grown[:, index], {"": missing[name]})[""]
        for index, (name, mask) in enumerate(stay.items())
    }


def _after_drop(mask: Tensor, weight: Tensor, share: float) -> Tensor:
    """What stays of one layer: at least one weight of each network."""
    kept = mask.flatten(1).sum(1)
    stays = (kept - (share * kept).long()).clamp(min=1)
    return selection.keep_largest({"": weight.abs()}, stays, {"": mask})[""]


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values in the mask, ``(P,)``, float64."""
    return (values.double() * mask).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)


def divided(total: Tensor, shares: Tensor, room: Tensor) -> Tensor:
    """Divide `total` ``(P,)`` among layers in proportion to `shares` ``(P, L)``, at most `room` ``(P, L)`` each; int64.

    Rounded down first; what is left over goes, one weight at a time, to the layers that are furthest below their share.
    """
    found = torch.zeros_like(room)
    for row in range(len(total)):
        left, weight = int(total[row]), shares[row].clamp(min=1e-30)
        while left:
            open_ = found[row] < room[row]
            parts = weight * open_ / (weight * open_).sum() * left
            whole = torch.minimum(parts.floor().long(), room[row] - found[row])
            if not whole.any():
                whole[torch.where(open_, parts, -1.0).argmax()] = 1
            found[row] += whole
            left -= int(whole.sum())
    return found
