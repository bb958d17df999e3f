"""Gumbel gates: random 0/1 gates whose probabilities are learnt (Zhang, Tao & Zhang 2023, arXiv:2311.12526).

Every weight has a gate that is open with probability σ(l). In training a hard gate is drawn at every step by the
Gumbel-softmax trick (temperature 3), and the gradient goes through the soft gate (straight through). Evaluation and the mask
use the most probable gates.

Where we differ: of the paper's two logits per weight only the difference matters, so only the difference is learnt. The paper
adds .01·|target density − mean gate| to the loss; this term changes the density only if it is large enough compared with the
loss's gradient. Here all logits are shifted by the same amount at every step, such that the mean gate of each network falls
geometrically from its start to the target; it reaches the target at `until` of the search and then stays there. The logits have
an optimiser of their own (see `factors`).

Cost: `pretrain` + `search` + 1 trainings; 2 by default. The history notes ``gate_density``, the mean gate before the cut, and
``open_gates``, the share of gates with a probability above ½; the cut then keeps exactly the target.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from nas.training.loop import selection
from nas.training.loop.selection import Masks
from nas.training.methods.factors import Factors, per_network
from nas.training.methods.method import Kind, Method, MethodError
from nas.training.saliencies.random_order import uniform

if TYPE_CHECKING:
    from nas.training.loop.session import Session

ROUNDS = 3
"""Newton steps by which the shift of the logits is found; each moves them by at most 1."""
_STREAM = 31


@dataclass(frozen=True, kw_only=True)
class Gumbel(Method):
    """Gumbel gates: learn the probability of keeping each weight.

    Attributes:
        pretrain: epochs before the search, as a share of a training.
        search: epochs with gates, as a share of a training.
        until: share of the search after which the mean gate is the target.
        logit: logit of every gate at the start.
        rate: size of a step of the logits.
        interval: steps between two shifts of the logits.
        temperature: temperature of the soft gates.
    """

    kind: ClassVar[Kind] = "after"

    pretrain: float = 0.0
    search: float = 1.0
    until: float = 0.7
    logit: float = 1.0
    rate: float = 0.05
    interval: int = 5
    temperature: float = 3.0

    def __post_init__(self) -> None:
        """Refuse options that no search can have."""
        if not (self.pretrain >= 0 and self.search > 0 and 0 < self.until <= 1):
            raise MethodError(
                f"pretrain {self.pretrain} must be 0 or more, search {self.search} above 0, until {self.until} above 0 and "
                "1 at most"
            )
        if self.rate <= 0 or self.temperature <= 0 or self.interval < 1:
            raise MethodError(
                f"rate {self.rate} and temperature {self.temperature} must be above 0, interval {self.interval} at least 1"
            )

    def run(self, session: "Session") -> None:
        """Learn the gates, cut, train the remaining weights."""
        epochs = session.options.epochs
        if self.pretrain and session.options.init != "keep":
            session.fit(max(1, round(self.pretrain * epochs)))
        session.fit(max(1, round(self.search * epochs)), callback=Gates(self))
        session.fit(last=True)


class Gates(Factors):
    """Callback for the gates, their density, and the cut at the end."""

    def __init__(self, method: Gumbel) -> None:
        """All gates start with the same logit."""
        super().__init__(start=method.logit, rate=method.rate)
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """Make the logits."""
        super().begin(session, steps)
        self._masks, self._step, self._over = session.masks(), 0, False

    def effective(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Gates are drawn anew in training; in evaluation the more probable state is used; after the cut all gates are open."""
        if self._over:
            return parameters
        if torch.is_grad_enabled():
            self._drawn = uniform(self.session, _STREAM, self._step)
        return super().effective(parameters)

    def factor(self, name: str) -> Tensor:
        """Gates, 0 or 1, with the gradient of the soft gates."""
        logits = self.values[name]
        if not torch.is_grad_enabled():
            return (logits > 0).to(logits.dtype)
        noise = self.session.stack.stored(name, logistic(self._drawn[name]))
        return straight_through(logits + noise, self.method.temperature)

    def planned(self, step: int) -> Tensor:
        """Mean gate after a step, ``(P,)``."""
        done = min(1.0, (step + 1) / (self.method.until * self.steps))
        first = torch.sigmoid(torch.tensor(self.method.logit))
        return first ** (1 - done) * (self.session.keep / self.total) ** done

    def after_step(self, step: int) -> None:
        """Shift the logits so that the gates have the planned density."""
        self._step = step + 1
        if self._step % self.method.interval == 0:
            self.put(shifted(self.canonical(), self._masks, self.planned(step)))

    @torch.no_grad()
    def end(self) -> None:
        """Keep the most probable gates."""
        logits = self.canonical()
        means, opened = mean_gate(logits, self._masks), open_gates(logits, self._masks)
        for history, mean, share in zip(self.session.histories, means.tolist(), opened.tolist(), strict=True):
            history.notes.update({"gate_density": mean, "open_gates": share})
        self.session.set_masks(selection.keep_largest(logits, self.session.keep, self._masks, least=1))
        self._over = True


def logistic(uniform: Tensor) -> Tensor:
    """The difference of two Gumbel draws of a uniform one in [0, 1), float32."""
    return torch.logit(uniform.to(torch.float32), eps=1e-6)


def straight_through(logits: Tensor, temperature: float) -> Tensor:
    """1 where the logit is positive, 0 elsewhere; the gradient is that of σ(logit / temperature)."""
    soft = torch.sigmoid(logits / temperature)
    return (logits > 0).to(logits.dtype) + (soft - soft.detach())


def mean_gate(logits: dict[str, Tensor], masks: Masks) -> Tensor:
    """Mean probability of the gates in the masks, ``(P,)``."""
    return _sum({name: torch.sigmoid(value) * masks[name] for name, value in logits.items()}) / selection.count(masks)


def open_gates(logits: dict[str, Tensor], masks: Masks) -> Tensor:
    """Share of the gates in the masks whose probability is above ½, ``(P,)``."""
    return selection.count({name: (value > 0) & masks[name] for name, value in logits.items()}) / selection.count(masks)


def shifted(logits: dict[str, Tensor], masks: Masks, wanted: Tensor) -> dict[str, Tensor]:
    """Logits shifted by one number per network such that the mean gate is `wanted` ``(P,)``."""
    for _ in range(ROUNDS):
        gates = {name: torch.sigmoid(value) * masks[name] for name, value in logits.items()}
        total, slope = _sum(gates), _sum({name: gate * (1 - gate) for name, gate in gates.items()})
        step = ((total - wanted * selection.count(masks)) / slope.clamp(min=1e-12)).clamp(-1, 1)
        logits = {name: value - per_network(step, value) for name, value in logits.items()}
    return logits


def _sum(tensors: dict[str, Tensor]) -> Tensor:
    return torch.stack([tensor.flatten(1).sum(1) for tensor in tensors.values()]).sum(0)
