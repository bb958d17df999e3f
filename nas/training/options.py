"""Options and results of one sparse training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas.errors import UsageError
from nas.ranges import require_number, require_whole

LARGEST_RATE = 1e6
"""Largest learning rate or weight decay."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of one training.

    Attributes:
        epochs: passes over the training split, ≥ 1.
        batch_size: examples per step, ≥ 1.
        optimizer: ``adam`` (AdamW if weight_decay > 0) or ``sgd`` (momentum .9).
        learning_rate: learning rate at the start, > 0.
        schedule: ``cosine`` to zero, or ``constant``.
        weight_decay: decoupled weight decay, ≥ 0.
        patience: number of epochs after which training stops without a better validation metric; None trains to the end.
        init: ``fan-in`` draws new weights for the true (masked) fan-in of each unit, ``keep`` starts from the model's own.
    """

    epochs: int = 30
    batch_size: int = 64
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-2
    schedule: Literal["cosine", "constant"] = "cosine"
    weight_decay: float = 0.0
    patience: int | None = None
    init: Literal["fan-in", "keep"] = "fan-in"

    def __post_init__(self) -> None:
        """Refuse values that are impossible for a training."""
        require_whole("epochs", self.epochs, 1)
        require_whole("batch_size", self.batch_size, 1)
        require_number("learning_rate", self.learning_rate, 0, LARGEST_RATE, above=True)
        require_number("weight_decay", self.weight_decay, 0, LARGEST_RATE)
        if self.patience is not None:
            require_whole("patience", self.patience, 1)
        for name, known in (
            ("optimizer", ("adam", "sgd")),
            ("schedule", ("cosine", "constant")),
            ("init", ("fan-in", "keep")),
        ):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")


DEFAULTS = TrainingOptions()


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingResult:
    """The result of one training.

    Attributes:
        accuracy: the task's metric on the validation split, measured with `weights`.
        weights: every trained initializer by name, float32, masked entries exactly zero; batch-norm statistics included.
        losses: mean training loss of each epoch.
        accuracies: validation metric of each epoch.
        dead_units: number of units that no input reaches or that reach no output.
        dead: reason why the network gives the same answer for every example; empty if it does not.
        seconds: wall time; in a population, the share of its stack, which its networks divide equally.
        seed: the seed of initialisation and batch order.
        notes: numbers that the method reports about the training, by name.
    """

    accuracy: float
    weights: Mapping[str, NDArray[np.float32]]
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    dead_units: int
    seconds: float
    seed: int
    dead: str = ""
    notes: Mapping[str, float] = field(default_factory=dict)
