"""Gumbel gates: random 0/1 gates whose probabilities are learnt (Zhang, Tao & Zhang 2023, arXiv:2311.12526).

Every weight has a gate that is open with probability σ(l). In training a hard gate is drawn at every step by the
Gumbel-softmax trick (temperature 3) and the gradient goes through the soft one (straight through). Evaluation and the mask
take the most probable gates.

Where we differ: two logits a weight matter by their difference alone, so that is what is learnt. The paper adds .01·|target
density − mean gate| to the loss; whether that term moves the density at all depends on how it compares to the loss's gradient.
Here its coefficient is at every step the one with which the mean gate of each network falls geometrically from its start to the
target, is there at `until` of the search and stays there: all logits are shifted by the same amount. The logits have an
optimiser of their own (see `factors`).

Cost: `pretrain` + `search` + 1 trainings; 2 by default. Notes: ``gate density``, mean gate before the cut, and ``open
gates``, the share of gates that are open with probability above ½, which the cut turns into the target exactly.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from nas.training import selection
from nas.training.methods.factors import Factors, per_network
from nas.training.methods.method import Kind, Method, MethodError

if TYPE_CHECKING:
    from nas.training.session import Session

ROUNDS = 5
"""Newton steps by which the shift of the logits is found; each moves them by at most 1."""


@dataclass(frozen=True, kw_only=True)
class Gumbel(Method):
    """Attributes:
    pretrain: epochs before the search, as a share of a training.
    search: epochs with gates, as a share of a training.
    until: share of the search after which the mean gate is the target.
    logit: of every gate at the start.
    rate: size of a step of the logits.
    temperature: of the soft gates.
    """

    kind: ClassVar[Kind] = "after"

    pretrain: float = 0.0
    search: float = 1.0
    until: float = 0.9
    logit: float = 1.0
    rate: float = 0.05
    temperature: float = 3.0

    def __post_init__(self) -> None:
        """Refuse what no search can have."""
        if not (self.pretrain >= 0 and self.search > 0 and 0 < self.until <= 1):
            raise MethodError(
                f"pretrain {self.pretrain} must be 0 or more, search {self.search} above 0, until {self.until} above 0 and "
                "1 at most"
            )
        if self.rate <= 0 or self.temperature <= 0:
            raise MethodError(f"rate {self.rate} and temperature {self.temperature} must be above 0")

    def run(self, session: "Session") -> None:
        """Learn the gates, cut, train what is left."""
        epochs = session.options.epochs
        if self.pretrain and session.options.init != "keep":
            session.fit(max(1, round(self.pretrain * epochs)))
        session.fit(max(1, round(self.search * epochs)), rule=Gates(self))
        session.fit(last=True)


class Gates(Factors):
    """The gates, their density, and the cut in the end."""

    def __init__(self, method: Gumbel) -> None:
        """All gates alike."""
        super().__init__(start=method.logit, rate=method.rate)
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """Make the logits."""
        super().begin(session, steps)
        self._masks, self._over = session.masks(), False
        self._generators = [np.random.default_rng((abs(seed), 31)) for seed in session.seeds]

    def factor(self, name: str) -> Tensor:
        """Gates drawn anew in training, the most probable ones in evaluation, none after the cut."""
        logits = self.values[name]
        if self._over:
            return torch.ones_like(logits)
        if not torch.is_grad_enabled():
            return (logits > 0).to(logits.dtype)
        noise = self.session.stack.stored(name, logistic(self._generators, self._masks[name]))
        soft = torch.sigmoid((logits + noise) / self.method.temperature)
        return (logits + noise > 0).to(logits.dtype) + soft - soft.detach()

    def planned(self, step: int) -> Tensor:
        """Mean gate after a step, ``(P,)``."""
        done = min(1.0, (step + 1) / (self.method.until * self.steps))
        first = torch.sigmoid(torch.tensor(self.method.logit))
        return first ** (1 - done) * (self.session.keep / self.total) ** done

    def after_step(self, step: int) -> None:
        """Shift the logits to the planned density."""
        self.put(shifted(self.canonical(), self._masks, self.planned(step)))

    @torch.no_grad()
    def end(self) -> None:
        """Keep the most probable gates."""
        logits = self.canonical()
        for number, is_open, course in zip(
            mean_gate(logits, self._masks), open_gates(logits, self._masks), self.session.courses, strict=True
        ):
            course.notes.update({"gate density": float(number), "open gates": float(is_open)})
        self.session.set_masks(selection.keep_largest(logits, self.session.keep, self._masks, least=1))
        self._over = True


def logistic(generators: list[np.random.Generator], mask: Tensor) -> Tensor:
    """Noise ``(P, out, in, *kernel)``, the difference of two Gumbel draws, for the weights in `mask`; 0 elsewhere.

    Only they are drawn, so that a network draws the same whether it is padded or not.
    """
    noise = torch.zeros(mask.shape)
    for row, generator in enumerate(generators):
        chosen = mask[row].cpu()
        uniform = torch.from_numpy(generator.random(int(chosen.sum()), np.float32)).clamp(1e-6, 1 - 1e-6)
        noise[row][chosen] = torch.logit(uniform)
    return noise.to(mask.device)


def mean_gate(logits: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
    """Mean probability of the gates in the masks, ``(P,)``."""
    return _sum({name: torch.sigmoid(value) * masks[name] for name, value in logits.items()}) / selection.count(masks)


def open_gates(logits: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
    """Share of the gates in the masks whose probability is above ½, ``(P,)``."""
    return selection.count({name: (value > 0) & masks[name] for name, value in logits.items()}) / selection.count(masks)


def shifted(logits: dict[str, Tensor], masks: dict[str, Tensor], wanted: Tensor) -> dict[str, Tensor]:
    """Logits moved by one number for each network such that their mean gate is `wanted` ``(P,)``."""
    for _ in range(ROUNDS):
        gates = {name: torch.sigmoid(value) * masks[name] for name, value in logits.items()}
        total, slope = _sum(gates), _sum({name: gate * (1 - gate) for name, gate in gates.items()})
        step = ((total - wanted * selection.count(masks)) / slope.clamp(min=1e-12)).clamp(-1, 1)
        logits = {name: value - per_network(step, value) for name, value in logits.items()}
    return logits


def _sum(tensors: dict[str, Tensor]) -> Tensor:
    return torch.stack([tensor.flatten(1).sum(1) for tensor in tensors.values()]).sum(0)
