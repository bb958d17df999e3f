"""BINGO."""
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from nas.training import selection
from nas.training.methods.factors import per_network
from nas.training.methods.method import Kind, Method
from nas.training.rule import Rule

if TYPE_CHECKING:
    from nas.training.session import Session


@dataclass(frozen=True, kw_only=True)
class Bingo(Method):
    kind: ClassVar[Kind] = "after"
    search: float = 0.6
    interval: int = 1
    fraction: float = 0.1
    after: float = 0.2
    credit: str = "distance"
    batch: int = 256

    def run(self, session: "Session") -> None:
        epochs = session.options.epochs
        session.fit(max(1, round(self.search * epochs)), rule=Resets(self))
        session.fit(last=True)


class Resets(Rule):
    def __init__(self, method):
        self.m = method

    def begin(self, session, steps):
        super().begin(session, steps)
        self.first = {n: w.clone() for n, w in session.weights().items()}
        self.score = {n: torch.zeros_like(w) for n, w in self.first.items()}
        self.gen = [np.random.default_rng((abs(s), 32)) for s in session.seeds]

    @torch.no_grad()
    def after_step(self, step):
        if step % self.m.interval or step < self.m.after * self.steps:
            return
        s = self.session
        x, y = s.sample(self.m.batch)
        base = s.loss(x, y)
        w = s.weights()
        sub = {n: torch.stack([torch.from_numpy(g.random(tuple(v.shape[1:]), np.float32)) for g in self.gen]) < self.m.fraction for n, v in w.items()}
        target = {n: torch.zeros_like(v) for n, v in w.items()} if self.m.credit.startswith("zero") else self.first
        pars = {**s.stack.parameters, **{n: s.stack.stored(n, torch.where(sub[n], target[n], v)) for n, v in w.items()}}
        rise = s.loss(x, y, pars) - base
        for n, v in w.items():
            c = sub[n] * per_network(rise, v)
            if self.m.credit in ("distance", "zero-distance"):
                c = c * (v - target[n]).abs()
            if self.m.credit == "square":
                c = c * (v - target[n]).square()
            if self.m.credit == "magnitude":
                c = c * v.abs()
            self.score[n] += c

    def end(self):
        self.session.set_masks(selection.keep_largest(self.score, self.session.keep, self.session.masks(), least=1))
