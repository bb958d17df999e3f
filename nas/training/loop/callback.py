"""A callback: what a method does inside the training loop. Every hook does nothing unless it is overridden."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from torch import Tensor

SessionT = TypeVar("SessionT")
"""The session that calls: `nas.training.loop.session.Session`, which stands above this file."""


class Callback(Generic[SessionT]):
    """The hooks of one phase of training, called in the order in which they stand here.

    Tensors named by parameter are in the stack's own orientation; `Stack.canonical` turns them. Steps count from 0 within
    the phase, which has `steps` of them.

    Attributes:
        leaves: tensors besides the network's parameters whose gradients `learn` gets.
    """

    leaves: tuple[Tensor, ...] = ()

    def begin(self, session: SessionT, steps: int) -> None:
        """Before the first step."""
        self.session, self.steps = session, steps

    def effective(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The parameters that the network computes with, in training and evaluation; gradients flow through them."""
        return parameters

    def penalty(self) -> Tensor | None:
        """Added to the loss, ``(P,)``."""
        return None

    def on_gradients(self, step: int, gradients: dict[str, Tensor]) -> None:
        """Read or change the gradients by parameter, in place; masked weights still have theirs."""

    def learn(self, gradients: tuple[Tensor, ...], learning_rate: float) -> None:
        """Update `leaves`."""

    def after_step(self, step: int) -> None:
        """The parameters have moved."""

    def after_epoch(self, epoch: int) -> None:
        """Epochs count from 0 within the phase; before the epoch's evaluation."""

    def end(self) -> None:
        """After the last step, before the last evaluation."""
