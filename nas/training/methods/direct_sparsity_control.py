"""Annealing with direct sparsity control: the number of weights is prescribed at every step (Guo, She & Barbu 2020, arXiv:2002.04301).

The network starts dense. At progress t of the training only the M largest weights of all layers are kept; removed weights never
come back:

    M = k + (M₀ − k) · max(0, (1 − 2t) / (2tμ + 1)),

M falls from all M₀ weights at the start to the target k at half of the training; with a larger μ it falls faster at first. The
paper prunes once per epoch; here the network is pruned every `interval` steps, which loses less accuracy if there are few epochs.

Cost: `length` trainings, 1 by default; longer ones are worth their price at low densities.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from nas.training import saliencies
from nas.training.loop import selection
from nas.training.loop.callback import Callback
from nas.training.methods.method import Kind, Method, MethodError

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class DirectSparsityControl(Method):
    """Train from dense, and prune to a prescribed count at every interval.

    Attributes:
        mu: μ; the larger it is, the faster weights are removed at first.
        interval: steps between two prunings; 0 for one per epoch.
        length: epochs, as a multiple of one training.
    """

    kind: ClassVar[Kind] = "during"

    mu: float = 30.0
    interval: int = 5
    length: float = 1.0

    def __post_init__(self) -> None:
        """Refuse options that no annealing can have."""
        if self.mu < 0 or self.interval < 0 or not self.length > 0:
            raise MethodError(
                f"mu {self.mu} and interval {self.interval} must be 0 or more, length {self.length} more than 0"
            )

    def run(self, session: "Session") -> None:
        """Train and prune at the same time."""
        session.fit(max(1, round(self.length * session.options.epochs)), callback=Annealing(self), last=True)


class Annealing(Callback["Session"]):
    """Callback that prunes to the prescribed number."""

    def __init__(self, method: DirectSparsityControl) -> None:
        """`method` holds the options."""
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """Record the weights that are present."""
        super().begin(session, steps)
        self._held = selection.count(session.masks())
        self._interval = self.method.interval or session.steps_per_epoch

    def after_step(self, step: int) -> None:
        """Prune, until the target is reached."""
        at = step + 1
        if at % self._interval == 0 and at < self.steps // 2 + self._interval:
            self._prune(at / self.steps)

    def end(self) -> None:
        """Prune to exactly the target, also after very few steps."""
        self._prune(1.0)

    def _prune(self, progress: float) -> None:
        counts = annealed(self._held, self.session.keep, progress, self.method.mu)
        self.session.prune(saliencies.magnitude(self.session), counts)


def annealed(held: Tensor, keep: Tensor, progress: float, mu: float) -> Tensor:
    """Number of weights at a progress in [0, 1] of the training, int64 ``(P,)``."""
    share = max(0.0, (1 - 2 * progress) / (2 * progress * mu + 1))
    return keep + ((held - keep) * share).long()
