"""Accuracy: the share of right answers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nas.metrics.metric import Answers, Metric, mean

if TYPE_CHECKING:
    from torch import Tensor


def share_of_right_answers(parts: Iterable[Answers]) -> "Tensor":
    """See `Measure`. An answer never equals the ignored target."""
    return mean(parts, lambda part: part.logits.argmax(-1) == part.targets)


ACCURACY = Metric(
    name="accuracy",
    meaning="share of examples, or of time steps, that are answered right",
    measure=share_of_right_answers,
)
