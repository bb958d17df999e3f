"""A callback: what a method does inside the training loop. Every hook does nothing unless it is overridden."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from nas.training.loop.session import Session


class Callback:
    """Hooks of one phase of training, called in the order in which they stand here.

    Tensors named by parameter are in the stack's own orientation; `Stack.canonical` turns them. Steps count from 0 within
    the phase, which has `steps` of them.

    Attributes:
        leaves: tensors besides the network's parameters whose gradients `learn` gets.
    """

    leaves: tuple[Tensor, ...] = ()

    def begin(self, session: "Session", steps: int) -> None:
        """Before the first step."""
        self.session, self.steps = session, steps

    def effective(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """What the network computes with, in training and evaluation; gradients flow through it."""
        return parameters

    def penalty(self) -> Tensor | None:
        """Added to the loss, ``(P,)``."""
        return None

    def on_gradients(self, step: int, gradients: dict[str, Tensor]) -> None:
        """Read or change the gradients by parameter, in place; masked weights have theirs still."""

    def learn(self, gradients: tuple[Tensor, ...], learning_rate: float) -> None:
        """Update `leaves`."""

    def after_step(self, step: int) -> None:
        """The parameters have moved."""

    def after_epoch(self, epoch: int) -> None:
        """Epochs count from 0 within the phase; before the epoch's evaluation."""

    def end(self) -> None:
        """After the last step, before the last evaluation."""
