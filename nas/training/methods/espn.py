"""ESPN: a real mask with an L1 penalty, learnt with the weights (Cho, Joshi & Hegde 2020, arXiv:2006.15741).

Every weight is multiplied by a factor that starts at 1 and has an L1 penalty. At the end the `keep` weights with the largest
factors are kept, multiplied by their factors, and trained further (or rewound and trained).

Where we differ: the paper's penalty has a fixed coefficient, and the search stops when few enough factors exceed .01. The
coefficient that reaches this depends on density, network and task. Here the penalty acts by its proximal step, soft
thresholding. At every step its coefficient is chosen such that the number of non-zero factors falls geometrically from all
weights to `keep`, which it reaches at `until` of the search; after that the number is constant, but which factors are non-zero
may still change. Factors have an optimiser of their own (see `factors`).

Cost: `pretrain` + `search` + `retrain` trainings; 2 by default, a half as `espn-short`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from nas.training.loop import selection
from nas.training.methods.factors import Factors, per_network
from nas.training.methods.method import Kind, Method, MethodError

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Espn(Method):
    """ESPN: learn a factor for each weight, keep the weights with the largest factors.

    Attributes:
        pretrain: epochs before the search, as a share of a training.
        search: epochs with factors, as a share of a training.
        until: share of the search after which only as many factors are non-zero as weights are kept.
        rate: size of a step of the factors.
        interval: steps between two thresholdings.
        retrain: epochs after the search, as a share of a training.
        rewind: ``none``, or ``initial`` to train the kept weights from their first values.
    """

    kind: ClassVar[Kind] = "after"

    pretrain: float = 0.0
    search: float = 1.0
    until: float = 0.7
    rate: float = 0.05
    interval: int = 5
    retrain: float = 1.0
    rewind: str = "none"

    def __post_init__(self) -> None:
        """Refuse options that no search can have."""
        if not (self.pretrain >= 0 and self.search > 0 and self.retrain > 0 and 0 < self.until <= 1):
            raise MethodError(
                f"pretrain {self.pretrain} must be 0 or more, search {self.search} and retrain {self.retrain} above 0, "
                f"until {self.until} above 0 and 1 at most"
            )
        if self.rate <= 0 or self.interval < 1:
            raise MethodError(f"rate {self.rate} must be above 0, interval {self.interval} at least 1")
        if self.rewind not in ("none", "initial"):
            raise MethodError(f"rewind is {self.rewind!r}; give none or initial")

    def run(self, session: "Session") -> None:
        """Learn the mask, cut, train the remaining weights."""
        start, epochs = session.state(), session.options.epochs
        if self.pretrain and session.options.init != "keep":
            session.fit(max(1, round(self.pretrain * epochs)))
        session.fit(max(1, round(self.search * epochs)), callback=RealMask(self))
        if self.rewind == "initial":
            session.rewind(start)
        session.fit(max(1, round(self.retrain * epochs)), last=True)


class RealMask(Factors):
    """Callback for the penalty and for the cut at the end."""

    def __init__(self, method: Espn) -> None:
        """Set all factors to 1."""
        super().__init__(start=1.0, rate=method.rate)
        self.method = method

    def planned(self, step: int) -> Tensor:
        """Number of non-zero factors after a step, int64 ``(P,)``."""
        done = min(1.0, (step + 1) / (self.method.until * self.steps))
        keep = self.session.keep.to(self.total.device)
        return (self.total * (keep / self.total) ** done).round().long().maximum(keep)

    def after_step(self, step: int) -> None:
        """Shrink all factors until the planned number is zero."""
        if (step + 1) % self.method.interval == 0:
            self.put(thresholded(self.canonical(), self.planned(step)))

    @torch.no_grad()
    def end(self) -> None:
        """Multiply the weights by their factors and keep the weights with the largest factors."""
        factors = {name: factor.abs() for name, factor in self.canonical().items()}
        masks = selection.keep_largest(factors, self.session.keep, self.session.masks(), least=1)
        for name, value in self.values.items():
            self.session.stack.parameters[name].mul_(value)
            value.fill_(1.0)
        self.session.set_masks(masks)


def thresholded(factors: dict[str, Tensor], counts: Tensor) -> dict[str, Tensor]:
    """Factors moved towards zero by the least amount that leaves at most `counts` ``(P,)`` factors of each network non-zero."""
    sizes = torch.cat([factor.abs().flatten(1) for factor in factors.values()], 1).sort(dim=1, descending=True).values
    padded = torch.nn.functional.pad(sizes, (0, 1))
    least = padded.gather(1, counts[:, None]).squeeze(1)
    return {
        name: factor.sign() * (factor.abs() - per_network(least, factor)).clamp(min=0)
        for name, factor in factors.items()
    }
