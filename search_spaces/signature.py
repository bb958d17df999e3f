"""What a network must take in and give out: all that a search space knows of a task."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Input and output of a network.

    Attributes:
        input_shape: shape of one example without the batch axis: ``(features,)``, ``(C, H, W)`` or ``(T, F)``.
        outputs: logits per example, or per time step where `per_step`.
        per_step: the network gives logits at every time step, ``(N, T, outputs)`` instead of ``(N, outputs)``.
    """

    input_shape: tuple[int, ...]
    outputs: int
    per_step: bool = False
