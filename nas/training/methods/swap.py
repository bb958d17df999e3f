"""Swap search: a few weights go, as many others come, and the change is kept only if the loss falls (local search on a mask).

Local search by swaps is the oldest way to choose a subset; small records of handmade networks use it below 1,000 weights. The
mask and its weights come from another method (`by`). Then the network trains on, and every `interval` steps it is compared with
the best one so far, on the same training examples. If its loss is lower, it is the best now. If not, the network goes back to the
best weights and mask, biases included. Then a new swap is drawn:

- Weights to remove: saliency ½·h·w², the rise of the loss by Optimal Brain Damage (LeCun, Denker & Solla 1990).
- Weights to add: g²/(2h), the fall of the loss by a Newton step of a weight that is now zero.

h is the curvature, g the gradient. Both are drawn, such that the best are the most probable and a refused swap is not
proposed again at once. The number of weights in a swap falls from `fraction` of the weights to one. Grown weights start from
zero.

Cost: `search` trainings and those of `by`; 3 by default. The loss of `examples` examples is computed besides at every comparison,
and the curvature by `probes` batches. The history notes ``swaps``, the accepted share of the swaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import onnx_ir as ir
import torch
from torch import Tensor

from nas.training.loop import selection
from nas.training.loop.callback import Callback
from nas.training.loop.selection import Masks
from nas.training.methods.method import Kind, Method, MethodError
from nas.training.saliencies.curvature import curvature_diagonal
from nas.training.saliencies.random_order import uniform

if TYPE_CHECKING:
    from nas.training.loop.session import Session

Tensors = dict[str, Tensor]
_STREAM = 41
"""Number of the stream of the random draws."""


@dataclass(frozen=True, kw_only=True)
class Swap(Method):
    """Improve the mask of another method by swaps of weights that lower the training loss.

    Attributes:
        by: name of the method that finds the first mask, with its default options; it must start dense.
        search: epochs of swaps, as a share of a training, > 0.
        interval: steps between two swaps, ≥ 1.
        fraction: share of the weights that the first swaps exchange, in (0, 1).
        until: share of the search after which no swap is proposed, in (0, 1].
        rate: factor of the learning rate during the swaps, > 0.
        greed: power to which the worth of a weight is taken before it is drawn, ≥ 0; the larger, the less random.
        examples: most examples on which networks are compared, ≥ 1.
        probes: batches by which the curvature is estimated at every swap, ≥ 1.
    """

    kind: ClassVar[Kind] = "after"

    by: str = "espn"
    search: float = 1.0
    interval: int = 10
    fraction: float = 0.02
    until: float = 0.8
    rate: float = 0.2
    greed: float = 4.0
    examples: int = 2048
    probes: int = 4

    def __post_init__(self) -> None:
        """Refuse options that no search can have."""
        if self._finder().start != "dense":
            raise MethodError(f"method {self.by!r} begins with a mask that it draws; give one as by that starts dense")
        if not (self.search > 0 and 0 < self.fraction < 1 and 0 < self.until <= 1 and self.rate > 0):
            raise MethodError(
                f"search {self.search} and rate {self.rate} must be above 0, fraction {self.fraction} lie between 0 and 1, "
                f"until {self.until} be above 0 and 1 at most"
            )
        if min(self.interval, self.examples, self.probes) < 1 or self.greed < 0:
            raise MethodError(
                f"interval {self.interval}, examples {self.examples} and probes {self.probes} must be at least 1, "
                f"greed {self.greed} 0 or more"
            )

    def check(self, model: ir.Model, keep: int) -> None:
        """What the finder of the first mask needs."""
        self._finder().check(model, keep)

    def run(self, session: "Session") -> None:
        """Find a mask, then swap."""
        found = session.on(session.task, replace(session.options, patience=None))
        self._finder().run(found)
        for own, history in zip(session.histories, found.finish(), strict=True):
            own.losses, own.accuracies, own.error = history.losses, history.accuracies, history.error
            own.notes.update(history.notes)
        session.set_masks(found.masks())
        session.rewind(found.state())
        epochs = max(1, round(self.search * session.options.epochs))
        session.fit(epochs, callback=Swaps(self), rate=self.rate, last=True)

    def _finder(self) -> Method:
        from nas.training.methods.registry import create

        return create(self.by)


class Swaps(Callback["Session"]):
    """Callback that compares networks, takes back what is worse, and proposes swaps.

    Attributes:
        best: least loss of each network so far, on the examples of the comparison, ``(P,)``.
        accepted: number of swaps kept by each network, ``(P,)``.
        proposed: number of swaps proposed.
    """

    def __init__(self, method: Swap) -> None:
        """`method` holds the options."""
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """The first network is the best so far."""
        super().begin(session, steps)
        self._examples = session.sample(self.method.examples)
        self._total = selection.count(session.masks())
        self.best = self.loss()
        self.accepted, self.proposed = torch.zeros_like(self._total), 0
        self._pending = torch.zeros_like(self.best, dtype=torch.bool)
        self._remember(~self._pending)

    def after_step(self, step: int) -> None:
        """Compare, and swap."""
        if (step + 1) % self.method.interval == 0 and step + 1 < self.steps:
            self.compare()
            progress = (step + 1) / (self.method.until * self.steps)
            if progress < 1:
                self._propose(progress, step)

    def end(self) -> None:
        """The last comparison."""
        self.compare()
        for history, accepted in zip(self.session.histories, self.accepted.tolist(), strict=True):
            history.notes["swaps"] = accepted / max(self.proposed, 1)

    @torch.no_grad()
    def loss(self) -> Tensor:
        """Mean loss of each network on the examples, ``(P,)``."""
        return self.session.loss(*self._examples)

    def compare(self) -> None:
        """Keep the networks whose loss has fallen; the others go back to their best."""
        loss = self.loss()
        better = loss < self.best  # False for a loss that is not a number
        self.accepted += better & self._pending
        self._pending = torch.zeros_like(better)
        self.best = torch.where(better, loss, self.best)
        self._go_back(~better)
        self._remember(better)

    @torch.no_grad()
    def _remember(self, rows: Tensor) -> None:
        """Take weights and masks of these networks as their best."""
        stack, masks = self.session.stack, self.session.masks()
        if bool(rows.all()):
            self._weights, self._masks = {name: p.detach().clone() for name, p in stack.parameters.items()}, masks
            return
        for name, parameter in stack.parameters.items():
            self._weights[name] = self._chosen(rows, parameter.detach(), self._weights[name])
        self._masks = {name: chosen(rows, mask, self._masks[name]) for name, mask in masks.items()}

    @torch.no_grad()
    def _go_back(self, rows: Tensor) -> None:
        """Give these networks their best weights and masks again."""
        if not bool(rows.any()):
            return
        stack, masks = self.session.stack, self.session.masks()
        self.session.set_masks({name: chosen(rows, self._masks[name], mask) for name, mask in masks.items()})
        for name, parameter in stack.parameters.items():
            parameter.copy_(self._chosen(rows, self._weights[name], parameter))

    def _chosen(self, rows: Tensor, there: Tensor, elsewhere: Tensor) -> Tensor:
        """The same for a parameter as the stack stores it; a single network has no axis of networks."""
        return chosen(rows, there, elsewhere) if self.session.stack.lead else (there if bool(rows[0]) else elsewhere)

    def _propose(self, progress: float, step: int) -> None:
        """Exchange a few weights of every network."""
        session, method = self.session, self.method
        curvature = curvature_diagonal(session, method.probes)
        gradient = session.gradients(*self._examples)
        count = (self._total * method.fraction * (1 - progress)).round().long().clamp(min=1)
        cost, gain = worth(session.weights(), gradient, curvature, session.exists)
        draws = [uniform(session, _STREAM, step, side) for side in (0, 1)]
        session.set_masks(swapped(session.masks(), session.exists, cost, gain, draws, count, method.greed))
        self.proposed += 1
        self._pending = torch.ones_like(self._pending)


def worth(weights: Tensors, gradient: Tensors, curvature: Tensors, exists: Masks) -> tuple[Tensors, Tensors]:
    """The rise of the loss when a weight is removed, ½·h·w², and its fall when a zero weight is set by a Newton step, g²/(2h).

    The mean curvature of a layer is added to h in the fall: few batches leave h close to zero for weights that matter little.
    """
    cost = {name: 0.5 * curvature[name] * weight.square() for name, weight in weights.items()}
    gain = {}
    for name, slope in gradient.items():
        h = curvature[name]
        count = exists[name].flatten(1).sum(1).clamp(min=1)  # a padded network gets the same mean as alone
        mean = per_network(((h * exists[name]).flatten(1).sum(1) / count).clamp(min=1e-20), h)
        gain[name] = slope.square() / (2 * (h + mean))
    return cost, gain


def swapped(
    masks: Masks, exists: Masks, cost: Tensors, gain: Tensors, draws: Sequence[Tensors], count: Tensor, greed: float
) -> Masks:
    """Masks after `count` ``(P,)`` weights of small cost were exchanged for as many of large gain; each layer keeps one.

    A weight is taken with a probability in proportion to worth^greed: the largest of worth^greed / E, with E exponential draws.
    """
    noise = [{name: (-draw.clamp(1e-12, 1 - 1e-12).log()).log() for name, draw in draw.items()} for draw in draws]
    keys = {name: greed * (value.double() + 1e-30).log() for name, value in cost.items()}
    stays = {name: key + noise[0][name] for name, key in keys.items()}
    free = {name: exists[name] & ~mask for name, mask in masks.items()}
    count = torch.minimum(torch.minimum(count, selection.count(free)), selection.count(masks) - len(masks))
    kept = selection.keep_largest(stays, selection.count(masks) - count, masks, least=1)
    comes = {name: greed * (value.double() + 1e-30).log() - noise[1][name] for name, value in gain.items()}
    grown = selection.keep_largest(comes, selection.count(masks) - selection.count(kept), free)
    return {name: mask | grown[name] for name, mask in kept.items()}


def per_network(numbers: Tensor, tensor: Tensor) -> Tensor:
    """Numbers ``(P,)`` shaped to meet a tensor ``(P, …)``."""
    return numbers.reshape(-1, *[1] * (tensor.dim() - 1))


def chosen(rows: Tensor, there: Tensor, elsewhere: Tensor) -> Tensor:
    """The networks `rows` of one tensor ``(P, …)``, the other ones of another."""
    return torch.where(per_network(rows, there), there, elsewhere)
