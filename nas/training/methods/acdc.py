"""AC/DC: alternating compressed and decompressed training (Peste et al. 2021, arXiv:2106.12379).

Training is dense for a while. Then compressed phases, in which only the weights of largest magnitude are trained, alternate with
decompressed ones, in which all weights are trained again: those that were cut start from zero, the others go on. A long
compressed phase ends the training.

Where we differ: in the paper every compression cuts to the target at once. Below a few per cent of the weights a short
compressed phase does not recover from that cut, and the mask is then that of an early dense phase. Here the number of weights
kept by the compressions falls geometrically to the target, which the last `final` of them, the ending one included, have;
`final` as large as the number of compressions is the paper's schedule.

Cost: one training.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from nas.training import saliencies
from nas.training.loop import selection
from nas.training.methods.method import Kind, Method, MethodError

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class AcDc(Method):
    """Alternate between training all weights and training the largest.

    Attributes:
        warm: share of the training before the first compression, in [0, 1).
        cycles: number of times that all weights come back, ≥ 0.
        ending: share of the training that the last compressed phase takes, in (0, 1]; `warm` and `ending` are 1 at most together.
        final: number of compressions to the target, the last one included, ≥ 1.
        length: epochs, as a multiple of one training, > 0.
    """

    kind: ClassVar[Kind] = "during"

    warm: float = 0.1
    cycles: int = 3
    ending: float = 0.5
    final: int = 2
    length: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a schedule that no training can have."""
        if not (0 <= self.warm < 1 and 0 < self.ending <= 1 and self.warm + self.ending <= 1):
            raise MethodError(
                f"warm is {self.warm} and ending {self.ending}; give shares of the training, together 1 at most"
            )
        if self.cycles < 0 or self.final < 1 or not self.length > 0:
            raise MethodError(
                f"cycles {self.cycles} must be 0 or more, final {self.final} at least 1, length {self.length} more than 0"
            )

    def run(self, session: "Session") -> None:
        """Train in turn with few weights and with all."""
        epochs = max(1, round(self.length * session.options.epochs))
        everything, done = session.masks(), 0
        held = selection.count(everything)
        plan = phases(epochs, self.warm, self.cycles, self.ending)
        last = sum(not dense for dense, _ in plan)
        compressions = 0
        for number, (dense, length) in enumerate(plan, 1):
            if dense:
                session.set_masks(everything)
            else:
                compressions += 1
                counts = self.counts(compressions, last, held, session.keep)
                session.prune(saliencies.magnitude(session), counts)
            session.fit(length, within=(done, epochs), last=number == len(plan))
            done += length

    def counts(self, number: int, of: int, held: Tensor, keep: Tensor) -> Tensor:
        """Weights that compression `number` of so many keeps, int64 ``(P,)``."""
        falling = max(of - self.final + 1, 1)
        done = min(1.0, number / falling)
        return (held * (keep / held) ** done).round().long().maximum(keep)


def phases(epochs: int, warm: float, cycles: int, ending: float) -> list[tuple[bool, int]]:
    """The phases with their epochs, (True, n) where all weights are trained; the last one is compressed and has one epoch at least.

    Phases without an epoch are left out, with very few epochs all but the last.
    """
    before_end = epochs - max(1, round(ending * epochs))
    parts = 2 * cycles
    shares = [warm + (1 - warm - ending) * part / parts for part in range(parts + 1)] if cycles else [warm]
    edges = [0, *(min(round(share * epochs), before_end) for share in shares)]
    lengths = [stop - start for start, stop in pairwise(edges)]
    middle = [(number % 2 == 0, length) for number, length in enumerate(lengths) if length]
    return [*middle, (False, epochs - edges[-1])]
