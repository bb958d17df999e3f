"""The history of one network's training."""

from dataclasses import dataclass, field

from nas.errors import TrainingError
from nas.training.stack.initialisation import Arrays


@dataclass(kw_only=True)
class History:
    """The results of the training of one network so far.

    Attributes:
        seed: seed of its initial weights and batch order.
        losses: mean training loss of each epoch, over all phases.
        accuracies: validation metric of each epoch, over all phases.
        sign: 1 if a larger metric is better, −1 if a smaller one is.
        start: first epoch of the current phase.
        accuracy: the metric measured with `weights`.
        weights: final weights, or those of the best epoch if the training may stop early; empty until the end.
        error: reason why there are no weights.
        notes: numbers that the method reports about the training, by name.
    """

    seed: int
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    sign: float = 1.0
    start: int = 0
    accuracy: float = 0.0
    weights: Arrays = field(default_factory=dict)
    error: TrainingError | None = None
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def best(self) -> int:
        """The first epoch of the phase with the phase's best metric, counted from the phase's start."""
        phase = [self.sign * accuracy for accuracy in self.accuracies[self.start :]]
        return max(range(len(phase)), key=phase.__getitem__)
