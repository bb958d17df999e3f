"""BINGO: significance by resetting random subsets of weights to their first values while training (arXiv:2505.09864).

After every `interval` steps a random subset of the weights is put back to its initial values for two forward passes over
a batch, and the rise of the loss is credited to the weights of the subset. After the search the weights with the least credit
are cut at once, and the remaining weights are trained.

Where we differ: the paper's estimator of the significance is not public, so this one is our own. The rise is divided in
proportion to the distance |w − w₀| that each weight of the subset has moved, like a first-order change of the loss. If every
weight got the full rise, all weights of a subset would get the same credit. Resets begin after a share `warmup` of the search,
when the weights have moved.

Cost: `search` + 1 trainings, and two forward passes every `interval` steps, which are ⅔ of a step; with the defaults
.6 · (1 + .8 · ⅔) + 1 ≈ 1.9 trainings of work.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from nas.training.loop.callback import Callback
from nas.training.methods.factors import per_network
from nas.training.methods.method import Kind, Method, MethodError
from nas.training.saliencies.random_order import uniform

if TYPE_CHECKING:
    from nas.training.loop.session import Session

_STREAM = 32


@dataclass(frozen=True, kw_only=True)
class Bingo(Method):
    """BINGO: train with random resets, cut the least significant weights, train the rest.

    Attributes:
        search: epochs before the cut, as a share of a training.
        warmup: share of the search before the first reset.
        interval: steps between two resets.
        fraction: share of the weights that is reset at once.
    """

    kind: ClassVar[Kind] = "after"

    search: float = 0.6
    warmup: float = 0.2
    interval: int = 1
    fraction: float = 0.1

    def __post_init__(self) -> None:
        """Refuse options that no search can have."""
        if self.search <= 0 or not 0 <= self.warmup < 1:
            raise MethodError(f"search {self.search} must be above 0, warmup {self.warmup} at least 0 and below 1")
        if self.interval < 1 or not 0 < self.fraction < 1:
            raise MethodError(f"interval {self.interval} must be at least 1, fraction {self.fraction} between 0 and 1")

    def run(self, session: "Session") -> None:
        """Train with resets, cut, train the remaining weights."""
        session.fit(max(1, round(self.search * session.options.epochs)), callback=Resets(self))
        session.fit(last=True)


class Resets(Callback["Session"]):
    """Callback that accumulates the significance and cuts at the end.

    Attributes:
        significance: significance of each weight so far, canonical.
    """

    def __init__(self, method: Bingo) -> None:
        """`method` holds the options."""
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """Record the initial values."""
        super().begin(session, steps)
        self.first = {name: weight.clone() for name, weight in session.weights().items()}
        self.significance = {name: torch.zeros_like(weight) for name, weight in self.first.items()}

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Reset a subset, credit the rise of the loss to it."""
        if step % self.method.interval or step < self.method.warmup * self.steps:
            return
        session, stack, weights = self.session, self.session.stack, self.session.weights()
        x, y = session.sample(session.options.batch_size)
        subset = {name: draw < self.method.fraction for name, draw in uniform(session, _STREAM, step).items()}
        reset = {name: stack.stored(name, w.where(~subset[name], self.first[name])) for name, w in weights.items()}
        rise = session.loss(x, y, {**stack.parameters, **reset}) - session.loss(x, y)
        for name, weight in weights.items():
            moved = (weight - self.first[name]).abs() * subset[name]
            self.significance[name] += moved * per_network(rise, moved)

    def end(self) -> None:
        """Keep the most significant weights."""
        self.session.prune(self.significance)
