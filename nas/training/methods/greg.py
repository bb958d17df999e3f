"""GReg-1 and GReg-2: an L2 penalty that grows on the weights to go (Wang, Qin, Zhang & Fu 2020, arXiv:2012.09243).

The weights to go pay a penalty ½·λ·w², and λ grows until they have vanished, so that the others have taken over from them
when they are cut. GReg-1 chooses them by magnitude beforehand. GReg-2 (`separate`) lets λ grow on all weights at first, to
`picking`: those on whose change the loss depends most resist, and the smallest of what is left are the ones to go.

Where we differ: in the paper λ grows by 1e-4 every 5 to 10 steps, to 1, which takes 50,000 steps and more. Here it grows by
equal amounts every `interval` steps of those that there are, to ten times as much, so that the weights have vanished by then (with
the paper's 1 the cut still costs accuracy). The paper trains with SGD. Under Adam λ·w belongs to the gradient all the same, but is
normalised with it: a weight with small gradients shrinks by about one learning rate a step, one with large gradients resists.
Decoupled decay would shrink both alike, and separates them less. The paper gives each layer a ratio by hand; `scope` shares them out.

Cost: `pretrain` + `growth` + `retrain` trainings; 2 by default.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from nas.training import saliencies
from nas.training.loop import selection
from nas.training.loop.callback import Callback
from nas.training.loop.layer_counts import of_each_layer
from nas.training.loop.selection import Masks
from nas.training.methods.method import Kind, Method, MethodError

if TYPE_CHECKING:
    from nas.training.loop.session import Session

SCOPES = ("global", "uniform", "er", "erk")


@dataclass(frozen=True, kw_only=True)
class Greg(Method):
    """Growing regularisation (GReg-1 and GReg-2): a growing penalty shrinks weights before they are cut.

    Attributes:
        separate: let the penalty grow on all weights in the first half of the growth (GReg-2).
        picking: λ at which that ends.
        ceiling: λ at the end of the growth.
        interval: steps between two increases of λ.
        scope: how many weights each layer keeps: the ``global``ly largest, or by a distribution: ``uniform``, ``er``, ``erk``.
        pretrain: epochs before the growth, as a share of a training.
        growth: epochs with the penalty, as a share of a training.
        retrain: epochs after the cut, as a share of a training.
    """

    kind: ClassVar[Kind] = "after"

    separate: bool = False
    picking: float = 0.01
    ceiling: float = 10.0
    interval: int = 5
    scope: str = "erk"
    pretrain: float = 0.5
    growth: float = 1.0
    retrain: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what no growth can have."""
        if not 0 < self.picking <= self.ceiling or self.interval < 1:
            raise MethodError(
                f"picking {self.picking} must be above 0 and at most ceiling {self.ceiling}, interval {self.interval} at least 1"
            )
        if self.scope not in SCOPES:
            raise MethodError(f"scope is {self.scope!r}; give one of {', '.join(SCOPES)}")
        if self.pretrain < 0 or self.growth <= 0 or self.retrain <= 0:
            raise MethodError(
                f"pretrain {self.pretrain} must be 0 or more, growth {self.growth} and retrain {self.retrain} above 0"
            )

    def run(self, session: "Session") -> None:
        """Train, let the penalty grow, cut; train what is left within the same schedule of the learning rate."""
        epochs = session.options.epochs
        if self.pretrain and session.options.init != "keep":
            session.fit(max(1, round(self.pretrain * epochs)))
        growing, after = max(1, round(self.growth * epochs)), max(1, round(self.retrain * epochs))
        session.fit(growing, callback=Growing(self), within=(0, growing + after))
        session.fit(after, within=(growing, growing + after), last=True)


class Growing(Callback["Session"]):
    """The penalty, and the cut in the end.

    Attributes:
        stays: the weights without a penalty, canonical.
    """

    def __init__(self, method: Greg) -> None:
        """`method` holds the options."""
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """Choose the weights to go: GReg-2 all of them."""
        super().begin(session, steps)
        self._first = steps // 2 if self.method.separate else 0
        if self._first:
            self._spare({name: torch.zeros_like(mask) for name, mask in session.masks().items()})
        else:
            self._spare(chosen(session, self.method.scope))

    def strength(self, step: int) -> float:
        """λ in a step: in equal increases from 0 to `picking`, from there (GReg-1: from 0) to the ceiling."""
        low, high = 0.0, self.method.picking
        start, stop = 0, self._first
        if step >= self._first:
            low, high = high if self._first else 0.0, self.method.ceiling
            start, stop = self._first, self.steps
        interval = self.method.interval
        return low + (high - low) * min(1.0, ((step - start) // interval + 1) * interval / (stop - start))

    @torch.no_grad()
    def on_gradients(self, step: int, gradients: dict[str, Tensor]) -> None:
        """Add the penalty's gradient."""
        strength = self.strength(step)
        for name, goes in self._goes.items():
            gradients[name].add_(self.session.stack.parameters[name] * goes, alpha=strength)

    def after_step(self, step: int) -> None:
        """Pick, once the weights are separated."""
        if step + 1 == self._first:
            self._spare(chosen(self.session, self.method.scope))

    def end(self) -> None:
        """Cut."""
        self.session.set_masks(self.stays)

    def _spare(self, stays: Masks) -> None:
        self.stays = stays
        self._goes = {name: self.session.stack.stored(name, (~mask).to(torch.float32)) for name, mask in stays.items()}


def chosen(session: "Session", scope: str) -> Masks:
    """The weights of largest magnitude, exactly ``session.keep`` of each network, shared out by `scope`."""
    worth, held = saliencies.magnitude(session), session.masks()
    if scope != "global":
        best = selection.keep_largest_of_each(worth, of_each_layer(session, session.keep, scope), held)
        # A layer that holds fewer weights than its share leaves the rest to the others.
        worth = {name: value.where(~best[name], torch.inf) for name, value in worth.items()}
    return selection.keep_largest(worth, session.keep, held, least=1)
