"""The part that all methods which find the mask before training share."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nas.training.methods.method import Kind, Method

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Before(Method):
    """A method that finds its mask before training. A subclass chooses the mask.

    Attributes:
        redraw: whether the kept initial weights are scaled up for the remaining fan-in; if not, they keep the values with
            which the mask was chosen. The model's own weights (``init`` "keep") are never changed.
    """

    kind: ClassVar[Kind] = "before"

    redraw: bool = False

    @abstractmethod
    def choose(self, session: "Session") -> None:
        """Set the masks of networks that have their initial values; each network keeps ``session.keep`` weights."""

    def prepare(self, session: "Session") -> None:
        """Set the masks and the weights from which the training starts."""
        self.choose(session)
        if self.redraw and session.options.init == "fan-in":
            session.redraw()

    def run(self, session: "Session") -> None:
        """Choose the mask, then train with it; costs one training."""
        self.prepare(session)
        session.fit(last=True)
