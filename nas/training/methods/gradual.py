"""Gradual magnitude pruning while training (Zhu & Gupta 2017, arXiv:1710.01878).

The network starts dense. Every `interval` steps between `begin` and `until` of the training the smallest weights are removed: the
number of remaining weights falls from all to the target along a cubic curve, fast at first. The paper prunes each layer to the same
density and keeps the values of masked weights; here the weights with the least saliency of all layers are removed for good.
Costs `length` trainings.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nas.training import saliencies
from nas.training.loop import selection
from nas.training.loop.callback import Callback
from nas.training.loop.schedule import cubic
from nas.training.methods.method import Kind, Method, MethodError

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Gradual(Method):
    """Gradual pruning by a saliency while training.

    Attributes:
        interval: steps between two prunings.
        begin: share of the training before the first pruning.
        until: share of the training after which the mask does not change.
        length: epochs, as a multiple of one training.
        criterion: saliency of a weight: magnitude, magnitude-over-deviation, layer-adaptive, obd or random.
    """

    kind: ClassVar[Kind] = "during"

    interval: int = 2
    begin: float = 0.0
    until: float = 0.6
    length: float = 1.0
    criterion: str = "magnitude"

    def __post_init__(self) -> None:
        """Refuse a schedule that no training can have."""
        saliencies.require(self.criterion)
        if self.interval < 1 or not self.length > 0:
            raise MethodError(f"interval is {self.interval} and length {self.length}; give at least 1, and more than 0")
        if not 0 <= self.begin <= self.until <= 1:
            raise MethodError(
                f"begin is {self.begin} and until {self.until}; give shares of the training, begin no larger than until"
            )

    def run(self, session: "Session") -> None:
        """Train and prune at the same time."""
        session.fit(max(1, round(self.length * session.options.epochs)), callback=Shrink(self), last=True)


class Shrink(Callback["Session"]):
    """Callback that removes the smallest weights between steps."""

    def __init__(self, method: Gradual) -> None:
        """`method` holds the options."""
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """Record the weights that are present."""
        super().begin(session, steps)
        self._held = selection.count(session.masks())
        self._start, self._stop = round(self.method.begin * steps), round(self.method.until * steps)

    def due(self, step: int) -> bool:
        """Whether weights are removed after this step; the last removal follows the step in which the schedule ends."""
        regular = (step - self._start) % self.method.interval == 0
        return self._start <= step <= self._stop and (regular or step == self._stop)

    def after_step(self, step: int) -> None:
        """Prune."""
        if self.due(step):
            self._prune((step - self._start) / max(self._stop - self._start, 1))

    def end(self) -> None:
        """Prune to the target if the schedule lasts as long as the training."""
        self._prune(1.0)

    def _prune(self, progress: float) -> None:
        keep = self.session.keep
        counts = keep + ((self._held - keep) * cubic(progress, 0.0)).round().long()
        self.session.prune(saliencies.CRITERIA[self.method.criterion](self.session), counts)
