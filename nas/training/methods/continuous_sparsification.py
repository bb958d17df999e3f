"""Continuous sparsification: soft gates that become hard while training (Savarese, Silva & Maire 2020, arXiv:1912.04427).

Every weight is multiplied by a gate σ(β·s) with a learnt s. β grows geometrically from 1 to `hardest`, so that the gates, at
first all alike, end near 0 or 1: the network that is trained turns into the pruned one without a cut. Unlike Gumbel gates
nothing is drawn.

Where we differ: in the paper a penalty λ·Σσ(β·s) makes gates close, and how many remain depends on λ and on the start of s.
Here all s are shifted by the same amount at intervals, such that the mean gate of each network falls geometrically from
½ to the target, which it reaches at `until` of the search. The values s have an optimiser of their own (see `factors`). The paper
ends at β = 200; few steps and few remaining gates ask for softer ones, since the s of a hard gate gets no gradient and is settled
too early.
At the end the `keep` weights with the largest s stay, are multiplied by their gates, and are trained further.

Cost: `search` + 1 trainings; 2 by default. The history notes ``gate_density``, the mean gate before the cut, and ``undecided``,
the share of gates between .05 and .95.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from nas.training.loop import selection
from nas.training.loop.selection import Masks
from nas.training.methods.factors import Factors, per_network
from nas.training.methods.method import Kind, Method, MethodError

if TYPE_CHECKING:
    from nas.training.loop.session import Session

ROUNDS = 30
"""Halvings of the interval in which the shift of the gates is found."""
WIDEST = 30.0
"""The shift of β·s is sought between − this and this, beyond the extremes of β·s."""


@dataclass(frozen=True, kw_only=True)
class ContinuousSparsification(Method):
    """Continuous sparsification: gates σ(β·s) that harden while they are learnt.

    Attributes:
        search: epochs with gates, as a share of a training, > 0.
        until: share of the search after which the mean gate is the target, in (0, 1].
        hardest: β at the end of the search, ≥ 1.
        rate: size of a step of s, > 0.
        interval: steps between two shifts of s, ≥ 1.
    """

    kind: ClassVar[Kind] = "after"

    search: float = 1.0
    until: float = 0.7
    hardest: float = 20.0
    rate: float = 0.005
    interval: int = 5

    def __post_init__(self) -> None:
        """Refuse options that no search can have."""
        if not (self.search > 0 and 0 < self.until <= 1):
            raise MethodError(f"search {self.search} must be above 0, until {self.until} above 0 and 1 at most")
        if self.hardest < 1 or self.rate <= 0 or self.interval < 1:
            raise MethodError(
                f"hardest {self.hardest} and interval {self.interval} must be at least 1, rate {self.rate} above 0"
            )

    def run(self, session: "Session") -> None:
        """Learn the gates, cut, train the remaining weights."""
        session.fit(max(1, round(self.search * session.options.epochs)), callback=SoftGates(self))
        session.fit(last=True)


class SoftGates(Factors):
    """Callback for the gates, their density and hardness, and the cut at the end."""

    def __init__(self, method: ContinuousSparsification) -> None:
        """All gates are half open."""
        super().__init__(start=0.0, rate=method.rate)
        self.method, self.hardness = method, 1.0

    def begin(self, session: "Session", steps: int) -> None:
        """Make the values s."""
        super().begin(session, steps)
        self._masks, self._over = session.masks(), False

    def factor(self, name: str) -> Tensor:
        """The gates; after the cut, when the weights hold them, ones."""
        value = self.values[name]
        return torch.ones_like(value) if self._over else torch.sigmoid(self.hardness * value)

    def planned(self, step: int) -> Tensor:
        """Mean gate after a step, ``(P,)``."""
        done = min(1.0, (step + 1) / (self.method.until * self.steps))
        return math.pow(0.5, 1 - done) * (self.session.keep / self.total) ** done

    def after_step(self, step: int) -> None:
        """Harden the gates; shift them so that they have the planned density."""
        self.hardness = self.method.hardest ** ((step + 1) / self.steps)
        if (step + 1) % self.method.interval == 0:
            self.put(shifted(self.canonical(), self.hardness, self._masks, self.planned(step)))

    @torch.no_grad()
    def end(self) -> None:
        """Multiply the weights by their gates and keep those with the largest s."""
        values = self.canonical()
        gates = {name: torch.sigmoid(self.hardness * value) for name, value in values.items()}
        self._note(gates)
        for name in self.values:
            self.session.stack.parameters[name].mul_(self.factor(name))
        self.session.set_masks(selection.keep_largest(values, self.session.keep, self._masks, least=1))
        self._over = True

    def _note(self, gates: dict[str, Tensor]) -> None:
        open_ = {name: gate * self._masks[name] for name, gate in gates.items()}
        undecided = {name: (gate > 0.05) & (gate < 0.95) & self._masks[name] for name, gate in gates.items()}
        means, shares = _sum(open_) / self.total, selection.count(undecided) / self.total
        for history, mean, share in zip(self.session.histories, means.tolist(), shares.tolist(), strict=True):
            history.notes.update({"gate_density": mean, "undecided": share})


def shifted(values: dict[str, Tensor], hardness: float, masks: Masks, wanted: Tensor) -> dict[str, Tensor]:
    """Values s shifted by one number per network such that the mean of σ(hardness·s) is `wanted` ``(P,)``.

    By bisection: with hard gates the mean is nearly a step function of the shift, on which Newton's method does not converge.
    """
    flat = torch.cat([(hardness * value).flatten(1) for value in values.values()], 1)
    allowed = torch.cat([masks[name].flatten(1) for name in values], 1)
    goal = wanted * allowed.sum(1)
    low, high = -flat.amax(1) - WIDEST, -flat.amin(1) + WIDEST
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        few = (torch.sigmoid(flat + middle[:, None]) * allowed).sum(1) < goal
        low, high = torch.where(few, middle, low), torch.where(few, high, middle)
    return {name: value + per_network((low + high) / (2 * hardness), value) for name, value in values.items()}


def _sum(tensors: dict[str, Tensor]) -> Tensor:
    return torch.stack([tensor.flatten(1).sum(1) for tensor in tensors.values()]).sum(0)
