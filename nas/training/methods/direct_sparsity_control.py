"""Annealing with direct sparsity control (Guo, She & Barbu 2020, arXiv:2002.04301)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from nas.training import selection
from nas.training.methods.method import Kind, Method
from nas.training.rule import Rule

if TYPE_CHECKING:
    from nas.training.session import Session


@dataclass(frozen=True, kw_only=True)
class DirectSparsityControl(Method):
    kind: ClassVar[Kind] = "after"
    mu: float = 10.0
    interval: int = 0
    length: float = 1.0
    pretrain: float = 0.0
    after: bool = False
    rewind: bool = False

    def run(self, session: "Session") -> None:
        epochs = session.options.epochs
        start = session.state()
        if self.pretrain and session.options.init != "keep":
            session.fit(max(1, round(self.pretrain * epochs)))
        session.fit(max(1, round(self.length * epochs)), rule=Annealing(self), last=not self.after)
        if self.after:
            if self.rewind:
                session.rewind(start)
            session.fit(last=True)


def annealed(total: Tensor, keep: Tensor, progress: float, mu: float) -> Tensor:
    share = max(0.0, (1 - 2 * progress) / (2 * progress * mu + 1))
    return keep + ((total - keep) * share).long()


class Annealing(Rule):
    def __init__(self, method: DirectSparsityControl) -> None:
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        super().begin(session, steps)
        self._total = selection.count(session.masks())

    def after_step(self, step: int) -> None:
        interval = self.method.interval or self.session.steps_per_epoch
        if (step + 1) % interval == 0:
            self._cut((step + 1) / self.steps)

    def end(self) -> None:
        self._cut(1.0)

    def _cut(self, progress: float) -> None:
        counts = annealed(self._total, self.session.keep, progress, self.method.mu)
        masks = self.session.masks()
        scores = {n: w.abs() for n, w in self.session.weights().items()}
        self.session.set_masks(selection.keep_largest(scores, counts, masks, least=1))
