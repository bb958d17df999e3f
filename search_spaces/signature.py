"""Input and output of a network: all that a search space knows about a task."""

from dataclasses import dataclass

from search_spaces.errors import InvalidOptionError


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Input and output of a network.

    Attributes:
        input_shape: shape of one example without the batch axis: ``(features,)``, ``(C, H, W)`` or ``(T, F)``.
        outputs: number of logits per example, or per time step if `per_step`.
        per_step: whether the network gives logits at every time step, ``(N, T, outputs)`` instead of ``(N, outputs)``.
    """

    input_shape: tuple[int, ...]
    outputs: int
    per_step: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        shape = self.input_shape
        if not shape or not all(isinstance(size, int) and size >= 1 for size in shape):
            raise InvalidOptionError(
                f"input_shape is {shape!r}; it must hold whole numbers of at least 1, without the batch axis"
            )
        if not isinstance(self.outputs, int) or self.outputs < 1:
            raise InvalidOptionError(f"outputs is {self.outputs!r}; it must be a whole number of at least 1")
