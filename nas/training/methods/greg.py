"""GReg: an L2 penalty that grows on the weights to go (Wang et al. 2020, arXiv:2012.09243)."""
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from nas.training import selection
from nas.training.methods.method import Kind, Method
from nas.training.rule import Rule

if TYPE_CHECKING:
    from nas.training.session import Session


@dataclass(frozen=True, kw_only=True)
class Greg(Method):
    kind: ClassVar[Kind] = "after"

    pretrain: float = 1.0
    growth: float = 0.5
    retrain: float = 0.5
    ceiling: float = 0.2
    separate: bool = False
    picking: float = 0.5
    interval: int = 5
    lower: float = 0.05
    one: bool = True
    inside: bool = True
    scope: str = "global"

    def run(self, session: "Session") -> None:
        epochs = session.options.epochs
        if self.pretrain and session.options.init != "keep":
            session.fit(max(1, round(self.pretrain * epochs)))
        first, last = max(1, round(self.growth * epochs)), max(1, round(self.retrain * epochs))
        if self.one:
            session.fit(first, rule=Growing(self), within=(0, first + last))
            session.fit(last, last=True, within=(first, first + last))
        else:
            session.fit(first, rule=Growing(self))
            session.fit(last, last=True)


class Growing(Rule):
    def __init__(self, method: Greg) -> None:
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        super().begin(session, steps)
        if not self.method.separate:
            self._pick()
        else:
            self.stays = {n: torch.zeros_like(m) for n, m in session.masks().items()}

    def _pick(self) -> None:
        from nas.training.target import of_each_layer
        scores = {n: w.abs() for n, w in self.session.weights().items()}
        if self.method.scope == "global":
            self.stays = selection.keep_largest(scores, self.session.keep, self.session.masks(), least=1)
        else:
            self.stays = selection.keep_largest_of_each(scores, of_each_layer(self.session, self.session.keep, self.method.scope), self.session.masks())

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        m = self.method
        first = m.picking * self.steps if m.separate else 0
        if m.separate and step < first:
            share = m.lower * (step // m.interval * m.interval) / first
        else:
            if m.separate and step - 1 < first:
                self._pick()
            share = m.ceiling * ((step - first) // m.interval * m.interval) / (self.steps - first)
        self.share = share
        if self.method.inside: return
        for name, stays in self.stays.items():
            self.session.stack.parameters[name].mul_(self.session.stack.stored(name, 1 - share * (~stays).float()))

    share = 0.0
    @torch.no_grad()
    def on_gradients(self, step, gradients):
        if self.method.inside:
            for name, stays in self.stays.items():
                p = self.session.stack.parameters[name]
                gradients[name].add_(p * self.session.stack.stored(name, self.share * (~stays).float()))

    def end(self) -> None:
        self.session.set_masks({n: s for n, s in self.stays.items()})
