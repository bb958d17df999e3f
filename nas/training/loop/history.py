"""How the training of one network went."""

from dataclasses import dataclass, field

from nas.errors import TrainingError
from nas.training.stack.initialisation import Arrays


@dataclass(kw_only=True)
class History:
    """Attributes:
    seed: of its initial weights and batch order.
    losses: mean training loss of each epoch, of all phases.
    accuracies: validation metric of each epoch, of all phases.
    start: the epoch with which the phase in work began.
    accuracy: the metric that goes with `weights`.
    weights: in the end, or of the best epoch where the training may stop early; empty before.
    error: why there are none.
    notes: what the method has to tell of its training, by name.
    """

    seed: int
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    start: int = 0
    accuracy: float = 0.0
    weights: Arrays = field(default_factory=dict)
    error: TrainingError | None = None
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def best(self) -> int:
        """The first epoch of the phase with the phase's best metric, counted from the phase's start."""
        phase = self.accuracies[self.start :]
        return max(range(len(phase)), key=phase.__getitem__)
