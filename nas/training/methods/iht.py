"""Iterative hard thresholding while training: w ← H_k(w − η·gradient) (Fridovich-Keil & Pilanci 2025, arXiv:2509.20323).

Training starts dense. After every `interval` steps of all weights, H_k sets all weights but the k largest to zero; these may
grow again. After `until` of the training the mask does not change any more, and its weights are trained further. Where we differ:
the paper thresholds a two-layer network in fused weights after each full gradient (see `planted_recovery`). Here networks are of
any kind, the optimiser is the session's, and k falls to the target along a cubic curve over the share `descent` of the
thresholdings. A cut to the target at the untrained start would be final: in `interval` steps of usual length, a weight does not
grow from zero to the size of the kept weights, unless many are kept. On digits at densities ≤ 0.1 almost no weight came back, with
intervals of 5 to 40: there the method is gradual magnitude pruning whose cut weights keep learning without effect. Costs one
training.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from nas.training import saliencies
from nas.training.loop import selection
from nas.training.loop.callback import Callback
from nas.training.loop.schedule import cubic
from nas.training.methods.method import Kind, Method, MethodError

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Iht(Method):
    """Iterative hard thresholding while training.

    Attributes:
        interval: optimiser steps between two thresholdings.
        descent: share of the thresholded phase in which k falls from all weights to the target; 0: at once.
        until: share of the training after which the mask does not change.
    """

    kind: ClassVar[Kind] = "during"

    interval: int = 5
    descent: float = 0.8
    until: float = 0.75

    def __post_init__(self) -> None:
        """Refuse values that no training can have."""
        if self.interval < 1 or not 0 <= self.descent <= 1 or not 0 < self.until <= 1:
            raise MethodError(
                f"interval {self.interval} must be at least 1, descent {self.descent} lie between 0 and 1, until {self.until} "
                "be above 0 and 1 at most"
            )

    def run(self, session: "Session") -> None:
        """Train all weights with thresholding, then the remaining ones."""
        epochs = session.options.epochs
        first = max(1, round(self.until * epochs))
        session.fit(first, callback=Threshold(self), within=(0, epochs))
        session.fit(epochs - first, within=(first, epochs), last=True)


class Threshold(Callback["Session"]):
    """Callback that sets the smallest weights to zero without masking them, so that they still get gradients."""

    def __init__(self, method: Iht) -> None:
        """`method` holds the options."""
        self.method = method

    def after_step(self, step: int) -> None:
        """Apply H_k after every `interval` steps."""
        done = step + 1
        if done % self.method.interval == 0 and done < self.steps:
            self._cut(self._counts(done / self.steps))

    def end(self) -> None:
        """The last thresholding gives the mask."""
        self.session.prune(saliencies.magnitude(self.session))

    def _counts(self, progress: float) -> Tensor:
        """Number of weights that each network keeps now."""
        whole = selection.count(self.session.masks())
        descent = self.method.descent
        left = cubic(progress / descent, 0.0) if descent else 0.0
        return (self.session.keep + left * (whole - self.session.keep)).round().long()

    @torch.no_grad()
    def _cut(self, counts: Tensor) -> None:
        session = self.session
        kept = selection.keep_largest(saliencies.magnitude(session), counts, session.masks(), least=1)
        for name, mask in kept.items():
            parameter = session.stack.parameters[name]
            parameter.mul_(session.stack.stored(name, mask.to(parameter.dtype)))
