"""Options and results of one sparse training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas.errors import UsageError
from nas.ranges import require_number, require_whole

LARGEST_RATE = 1e6
"""No learning rate or weight decay is larger."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of one training.

    Attributes:
        epochs: passes over the training split, ≥ 1.
        batch_size: examples a step, ≥ 1.
        optimizer: ``adam`` (AdamW where weight_decay > 0) or ``sgd`` (momentum .9).
        learning_rate: at the start, > 0.
        schedule: ``cosine`` to zero, or ``constant``.
        weight_decay: decoupled, ≥ 0.
        patience: stop after that many epochs without a better validation metric; None trains to the end.
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
        """Refuse values that no training can have."""
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
        dead_units: units that no input reaches or that reach no output.
        dead: why the network answers every example alike; empty where it does not.
        seconds: wall time; in a population, the batch's time shared out evenly.
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
