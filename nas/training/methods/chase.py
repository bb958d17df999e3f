"""Chase: channels are removed while weights move (Yin et al. 2023, arXiv:2305.19454).

As in RigL, weights are dropped and grown every `interval` steps, but over all layers at once: the smallest of all are dropped, and
those with the largest gradient of all are grown. With every such move some units are removed for good, those whose weights have the
smallest mean magnitude (masked ones count as zero); along a cubic curve the share of removed hidden units rises to `units`. Their
weights are grown elsewhere: the number of non-zeros never changes. A removed unit keeps neither its row (in a recurrent operator:
the rows of all gates of both matrices) nor the columns that read it, wherever in the graph these are.

Outputs of the network stay. The units of a depthwise convolution are removed with their channel and not counted. Where layers are
added (residuals), each loses rows separately, and a unit of the sum is removed with the last of them. The paper lets the number of
weights grow for a while after each move; here it is constant. Costs one training.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from nas.training.loop import selection
from nas.training.loop.schedule import cosine, cubic
from nas.training.loop.selection import Masks
from nas.training.masks.living import living, living_in_stack
from nas.training.masks.units import Units, units_of
from nas.training.methods.grow import DropAndGrow, Grow
from nas.training.methods.method import MethodError
from nas.training.stack.weight_layer import Layer, layers

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Chase(Grow):
    """Chase: weights move between layers while whole units are removed.

    Attributes:
        units: share of the hidden units that are removed at the end, in [0, 1).
        floor: share of its units that a layer keeps at least; 1 − `units` where the weights would not fit otherwise.
    """

    units: float = 0.4
    floor: float = 0.2

    def __post_init__(self) -> None:
        """Refuse impossible shares."""
        super().__post_init__()
        if not 0 <= self.units < 1 or not 0 <= self.floor <= 1 - self.units:
            raise MethodError(
                f"units is {self.units} and floor {self.floor}; give shares below 1 that are no more than 1 together"
            )

    def run(self, session: "Session") -> None:
        """Train while weights move and units are removed."""
        session.fit(callback=ChannelsLeave(self), last=True)

    def check(self, model: ir.Model, keep: int) -> None:
        """The units that stay must have room for `keep` weights."""
        room = self.room(model, 1 - self.units)
        if keep > room:
            raise MethodError(
                f"without {self.units:.0%} of its units the network has room for {room:,} weights, not for {keep:,}; "
                "give a lower density or lower units"
            )

    def room(self, model: ir.Model, share: float) -> int:
        """Weights that fit when every hidden layer has that share of its units."""
        found = layers(model)
        masks = {layer.name: np.ones(layer.weight.shape, np.bool_) for layer in found}
        for units in hidden(found):
            stay = torch.arange(units.size)[None] < staying(torch.tensor([units.size]), torch.tensor([share]))
            for layer in units.layers:
                masks[layer.name][~units.rows(stay)[0].numpy()] = False
        return sum(int(mask.sum()) for mask in living(model, masks).values())


class ChannelsLeave(DropAndGrow):
    """Moves weights over all layers and takes units away."""

    def __init__(self, method: Chase) -> None:
        """`method` holds the options."""
        super().__init__(method)
        self.chase = method

    def begin(self, session: "Session", steps: int) -> None:
        """Count the units and set how many of each layer must stay."""
        super().begin(session, steps)
        self.allowed: Masks = session.exists
        self.units = {units.layers[0].name: units for units in hidden(session.layers)}
        self.alive = {name: units.total(session.exists[name]) > 0 for name, units in self.units.items()}
        share = torch.tensor([self._share(row) for row in range(len(session))], device=session.device)
        held = {name: alive.sum(1) for name, alive in self.alive.items()}
        self._floors = {name: staying(count, share) for name, count in held.items()}
        zero = torch.zeros_like(session.keep)
        self._held = sum(held.values(), start=zero)
        goal = (self.chase.units * self._held - 1e-6).ceil().long()
        self._goal = torch.minimum(goal, self._held - sum(self._floors.values(), start=zero))

    @property
    def last(self) -> int:
        """The step after which the mask stays."""
        return max(math.ceil(self.chase.until * self.steps) - 1, 0)

    def due(self, step: int) -> bool:
        """Whether the mask moves after this step: it does at least once."""
        return step == self.last or (0 < step < self.last and step % self.chase.interval == 0)

    def after_step(self, step: int) -> None:
        """Take units away, drop and grow."""
        if not self.due(step):
            return
        session = self.session
        self._remove(step / max(self.last, 1) if step < self.last else 1.0)
        masks = session.masks()
        magnitude = {name: weight.abs() for name, weight in session.weights().items()}
        share = self.chase.fraction * cosine(step / (self.chase.until * self.steps))
        moving = (share * selection.count(masks)).long()
        session.set_masks(moved_globally(masks, magnitude, self._growth(step), self.allowed, moving))

    def _share(self, row: int) -> float:
        """The share of its units that a layer of this network keeps at least."""
        fits = self.chase.room(self.session.stack.members[row].model, self.chase.floor) >= int(self.session.keep[row])
        return self.chase.floor if fits else 1 - self.chase.units

    def _remove(self, progress: float) -> None:
        """Remove the weakest units of those networks that have room for all weights without them."""
        if not self.units:
            return
        left = self._held - ((1 - cubic(progress, 0.0)) * self._goal).round().long()
        alive = selection.keep_largest(self._strength(), left, self.alive)
        session = self.session
        rows = {layer.name: session.exists[layer.name].flatten(2).any(2) for layer in session.layers}
        for name, units in self.units.items():
            rows.update({layer.name: units.rows(alive[name]) for layer in units.layers})
        allowed = living_in_stack(session, rows)
        nonempty = torch.stack([mask.flatten(1).any(1) for mask in allowed.values()]).all(0)
        fits = (selection.count(allowed) >= session.keep) & nonempty
        self.alive = {name: torch.where(fits[:, None], alive[name], old) for name, old in self.alive.items()}
        self.allowed = {name: torch.where(_like(fits, old), allowed[name], old) for name, old in self.allowed.items()}

    def _strength(self) -> dict[str, Tensor]:
        """Mean magnitude of the weights of each unit that may be there; infinite for those that its layer must keep."""
        weights, found = self.session.weights(), {}
        for name, units in self.units.items():
            total = sum(units.total(weights[layer.name].abs()) for layer in units.layers)
            count = sum(units.total(self.allowed[layer.name]) for layer in units.layers)
            mean = torch.as_tensor(total / torch.as_tensor(count).clamp(min=1)).masked_fill(~self.alive[name], -1.0)
            found[name] = mean.masked_fill(selection.ranks(mean) < self._floors[name][:, None], torch.inf)
        return found


def hidden(found: Sequence[Layer]) -> list[Units]:
    """Units that may leave."""
    return [units for units in units_of(found) if not units.head and not _is_depthwise(units.layers[0])]


def staying(held: Tensor, share: Tensor) -> Tensor:
    """Least number of units that a layer keeps, for this share of its units."""
    return (share * held + 1e-6).floor().long().clamp(min=1)


def moved_globally(
    masks: Masks, magnitude: Mapping[str, Tensor], growth: Mapping[str, Tensor], allowed: Masks, moving: Tensor
) -> Masks:
    """The masks of all layers after a drop and a growth; the count of each network is as before.

    Args:
        masks: the present masks.
        magnitude: the smallest are dropped.
        growth: the largest are grown.
        allowed: bool, False where no weight may be; for each network at least as many True as it has weights.
        moving: least number of weights to drop, ``(P,)``; more are dropped where more are not allowed.
    """
    held = selection.count(masks)
    free = {name: allowed[name] & ~mask for name, mask in masks.items()}
    moving = torch.minimum(moving, selection.count(free))
    stays = selection.keep_largest(
        magnitude, held - moving, {name: mask & allowed[name] for name, mask in masks.items()}, least=1
    )
    grown = selection.keep_largest(growth, held - selection.count(stays), free, least=1)
    return {name: stays[name] | grown[name] for name in masks}


def _is_depthwise(layer: Layer) -> bool:
    return layer.weight.groups > 1 and layer.weight.shape[1] == 1


def _like(rows: Tensor, tensor: Tensor) -> Tensor:
    """``(P,)`` shaped to broadcast."""
    return rows.reshape(-1, *[1] * (tensor.dim() - 1))
