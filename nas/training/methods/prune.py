"""Pruning of a trained network: one-shot, iterative, rewound (See et al. 2016; Frankle & Carbin 2018; LeCun et al. 1990).

The network is trained, loses weights in `rounds` steps with re-training after each, and is trained to the end. By
`rewind` the kept weights go back to their first values, as in the lottery ticket procedure (arXiv:1803.03635), to those after
`early` epochs (arXiv:1903.01611), or to their first values scaled for the remaining fan-in, or they stay. `scope` decides which weights
are removed (arXiv:1606.09274): the smallest of all (class-blinded), the same share of every layer (class-uniform), or the smallest of
all in units of each layer's standard deviation (class-distributed).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from nas.training import saliencies
from nas.training.loop import selection
from nas.training.loop.layer_counts import of_each_layer
from nas.training.loop.schedule import geometric
from nas.training.loop.selection import Masks
from nas.training.methods.method import Kind, Method, MethodError

if TYPE_CHECKING:
    from nas.training.loop.session import Session, State

Scope = Literal["global", "layer"]
Rewind = Literal["none", "initial", "early", "fan-in"]


@dataclass(frozen=True, kw_only=True)
class Prune(Method):
    """Pruning after training, in one or several rounds, with or without rewinding.

    Attributes:
        criterion: saliency of a weight: magnitude, magnitude-over-deviation, obd (½·h·w²) or random.
        scope: ``global``, or ``layer`` for the same density in every layer.
        rounds: steps in which the weights go, the same share of what is left in each.
        rewind: where the kept weights go back to after a round: ``none``, ``initial``, ``early`` or ``fan-in``.
        early: epochs before the values that ``early`` goes back to.
        retrain: epochs between two rounds, as a share of a training.
    """

    kind: ClassVar[Kind] = "after"

    criterion: str = "magnitude"
    scope: Scope = "global"
    rounds: int = 1
    rewind: Rewind = "none"
    early: int = 1
    retrain: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no pruning can have."""
        saliencies.require(self.criterion)
        if self.scope not in ("global", "layer") or self.rewind not in ("none", "initial", "early", "fan-in"):
            raise MethodError(
                f"scope {self.scope!r} must be global or layer, rewind {self.rewind!r} none, initial, early or fan-in"
            )
        if self.rounds < 1 or self.early < 1 or not 0 < self.retrain <= 1:
            raise MethodError(
                f"rounds {self.rounds} and early {self.early} must be at least 1, retrain {self.retrain} above 0 and 1 at most"
            )

    def run(self, session: "Session") -> None:
        """Train, prune, and so on; at last train what is left."""
        start = session.state()
        early = self._pretrain(session)
        held = selection.count(session.masks())
        for step in range(1, self.rounds + 1):
            self.prune(session, counts_after(step, self.rounds, held, session.keep))
            if self.rewind == "fan-in":
                session.redraw()
            elif self.rewind != "none":
                session.rewind(start if self.rewind == "initial" else early)
            if step < self.rounds:
                session.fit(max(1, round(self.retrain * session.options.epochs)))
        session.fit(last=True)

    def prune(self, session: "Session", counts: Tensor) -> None:
        """Keep `counts` weights of each network."""
        session.set_masks(
            kept(session, saliencies.CRITERIA[self.criterion](session), counts, session.masks(), self.scope)
        )

    def _pretrain(self, session: "Session") -> "State":
        """Train the network that is to be pruned, unless its own weights are kept; the state for ``early``."""
        epochs = session.options.epochs
        if session.options.init == "keep":
            return session.state()
        first = min(self.early, epochs) if self.rewind == "early" else 0
        session.fit(first, within=(0, epochs))
        early = session.state()
        session.fit(epochs - first, within=(first, epochs))
        return early


def counts_after(step: int, rounds: int, held: Tensor, keep: Tensor) -> Tensor:
    """Weights left after a round that takes the same share of what is left as all others; exactly `keep` after the last."""
    if step == rounds:
        return keep
    shares = [geometric(step, rounds, float(share)) for share in keep / held]
    return (torch.tensor(shares, device=held.device) * held).round().long().maximum(keep)


def kept(session: "Session", worth: Mapping[str, Tensor], counts: Tensor, among: Masks, scope: Scope) -> Masks:
    """The `counts` weights of each network that are worth most: of all, or of each layer the same share."""
    if scope == "global":
        return selection.keep_largest(worth, counts, among, least=1)
    chosen = selection.keep_largest_of_each(worth, of_each_layer(session, counts, "uniform"), among)
    # A layer may hold fewer weights than its share: the best of the others make up for them.
    rest = {name: mask & ~chosen[name] for name, mask in among.items()}
    more = selection.keep_largest(worth, counts - selection.count(chosen), rest)
    return {name: mask | more[name] for name, mask in chosen.items()}
