"""Masks from the saliency of untrained weights on a sample of the training data, in one shot: the part that SNIP and GraSP share."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nas.training.methods.before import Before
from nas.training.methods.method import MethodError
from nas.training.saliencies import Saliencies

if TYPE_CHECKING:
    from nas.training.loop.session import Session

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Saliency(Before):
    """A method that keeps the weights of largest `saliencies`, all layers together, at least one per layer.

    Attributes:
        examples: number of training examples for the saliencies of each network; all examples if there are fewer.
    """

    examples: int = 512

    def __post_init__(self) -> None:
        """Refuse an empty sample."""
        if self.examples < 1:
            raise MethodError(f"examples is {self.examples}; it must be at least 1")

    @abstractmethod
    def saliencies(self, session: "Session", batches: Sequence[Batch]) -> Saliencies:
        """The saliency of every weight, larger = more important; canonical ``(P, out, in, *kernel)``."""

    def choose(self, session: "Session") -> None:
        """Compute the saliencies once, keep the weights with the largest."""
        x, y = session.sample(self.examples)
        found = self.saliencies(session, list(_parts(x, y, session.stack.lead, session.options.batch_size)))
        session.prune(found)


def mean(terms: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """The mean over batches, tensor by tensor."""
    return [torch.stack(tensors).mean(0) for tensors in zip(*terms, strict=True)]


def _parts(x: Tensor, y: Tensor, lead: int, size: int) -> Iterator[Batch]:
    """Equal batches of about `size` examples, along the axis after the axis of networks if there is one."""
    count = -(-x.shape[lead] // size)
    yield from zip(x.tensor_split(count, lead), y.tensor_split(count, lead), strict=True)
