"""A ticket: the masks of a network as one short text, for masks that a training found and that no recipe can draw again.

The masks of all maskable weights are read as one row of bits, in the order of the graph. The text holds the distances from each
non-zero to the next, so that its length grows with the non-zeros rather than with the weights.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search_spaces.errors import InvalidCandidateError
from search_spaces.masks.layer import Mask

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_FAR = len(_DIGITS) - 1
"""The last digit moves this far and is followed by another; any other digit moves its own value and one more."""
_VALUES = np.full(256, -1, np.int64)
_VALUES[np.frombuffer(_DIGITS.encode(), np.uint8)] = np.arange(len(_DIGITS))


@dataclass(frozen=True)
class Ticket:
    """The masks of a network, without the names of its weights.

    Attributes:
        text: distances between consecutive non-zeros, in letters, digits, ``-`` and ``_``.
        size: number of maskable weights of the network.
    """

    text: str
    size: int

    @classmethod
    def of(cls, masks: Iterable[Mask]) -> Self:
        """The ticket of these masks, one for each maskable weight in the order of the graph."""
        bits = np.concatenate([np.zeros(0, np.bool_), *(np.asarray(mask, np.bool_).ravel() for mask in masks)])
        gaps = np.diff(np.flatnonzero(bits), prepend=-1) - 1
        repeats, rest = np.divmod(gaps, _FAR)
        letters = np.frombuffer(_DIGITS.encode(), np.uint8)
        ends = np.cumsum(repeats + 1) - 1
        text = np.full(int(ends[-1]) + 1 if len(ends) else 0, letters[_FAR], np.uint8)
        text[ends] = letters[rest]
        return cls(text.tobytes().decode(), len(bits))

    @property
    def nnz(self) -> int:
        """Number of non-zeros."""
        return len(self.text) - self.text.count(_DIGITS[_FAR])

    def without(self, places: ArrayLike) -> "Ticket":
        """The ticket without some of its non-zeros, given by their numbers from 0."""
        bits = self.bits()
        bits[np.flatnonzero(bits)[np.asarray(places, np.int64)]] = False
        return Ticket.of([bits])

    def bits(self) -> NDArray[np.bool_]:
        """All masks as one row, bool ``(size,)``; `InvalidCandidateError` for a text that `of` cannot have made."""
        try:
            values = _VALUES[np.frombuffer(self.text.encode("ascii"), np.uint8)]
        except UnicodeEncodeError as error:
            raise InvalidCandidateError(f"a ticket holds only letters, digits, '-' and '_' ({error.reason})") from error
        far = values == _FAR
        if (values < 0).any() or (len(far) and far[-1]):
            raise InvalidCandidateError("a ticket holds only letters, digits, '-' and '_', and does not end with '_'")
        places = np.cumsum(np.where(far, _FAR, values + 1))[~far] - 1
        if len(places) and places[-1] >= self.size:
            raise InvalidCandidateError(f"a ticket of {self.size} weights has a non-zero at place {places[-1]}")
        bits = np.zeros(self.size, np.bool_)
        bits[places] = True
        return bits

    def masks(self, dense: Mapping[str, Mask]) -> dict[str, Mask]:
        """The mask of every weight.

        Args:
            dense: masks of the network that the ticket belongs to, of any content: their names and shapes are read.

        Raises:
            InvalidCandidateError: the network has another number of weights.
        """
        total = sum(mask.size for mask in dense.values())
        if total != self.size:
            raise InvalidCandidateError(
                f"the ticket of a network of {self.size:,} weights does not fit {total:,} weights"
            )
        if not dense:
            return {}
        parts = np.split(self.bits(), np.cumsum([mask.size for mask in dense.values()])[:-1])
        return {name: part.reshape(mask.shape) for (name, mask), part in zip(dense.items(), parts, strict=True)}
