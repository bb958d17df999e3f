"""Legality: the share of predicted next symbols that a grammar allows."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nas.errors import UsageError
from nas.metrics.metric import IGNORED, Answers, Metric, mean

if TYPE_CHECKING:
    from torch import Tensor


def share_of_legal_answers(parts: Iterable[Answers]) -> "Tensor":
    """See `Measure`."""
    return mean(parts, _legal_answers)


def _legal_answers(part: Answers) -> "Tensor":
    if part.legal is None:
        raise UsageError("legality needs a task that says which symbols are legal at every step, such as reber")
    predicted = part.logits.argmax(-1)
    choices = part.legal.expand(*predicted.shape, part.legal.shape[-1])
    return choices.gather(-1, predicted.unsqueeze(-1)).squeeze(-1) & (part.targets != IGNORED)


LEGALITY = Metric(
    name="legality",
    meaning="share of predicted next symbols that the grammar allows",
    measure=share_of_legal_answers,
)
