"""Steps along one axis that know which place comes from which: picked places, parts, and places that read a few others."""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnx_graph.propagation.algebra import Algebra, added
from onnx_graph.propagation.field import Field, widened

MOST_BYTES = 1 << 27
"""Of what is known of the units of one joined tensor."""


class Pick(NamedTuple):
    """Place i of the result is place `places[i]` of an axis of so many places; −1: a constant."""

    axis: int
    places: NDArray[np.int64]
    length: int

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The picked places."""
        if field.shape[self.axis] == 1:
            return field if (self.places >= 0).any() else np.zeros_like(field)
        found = np.take(field, self.places, axis=self.axis)
        if (self.places < 0).any():
            found[(slice(None),) * self.axis + (self.places < 0,)] = 0
        return found

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """Back where they came from; nothing goes to places that were not picked."""
        moved = np.moveaxis(widened(field, self.axis, len(self.places)), self.axis, 0)
        target = np.zeros((self.length, *moved.shape[1:]), field.dtype)
        taken = self.places >= 0
        algebra.put(target, self.places[taken], moved[taken])
        return np.moveaxis(target, 0, self.axis)


class Reads(NamedTuple):
    """Every place of an axis reads some others: `reads` ``(out, in)``."""

    axis: int
    reads: NDArray[np.bool_]

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """What each place reads, taken together."""
        return _shared(self.axis, self.reads, field, algebra)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """What reads each place, taken together."""
        return _shared(self.axis, self.reads.T, field, algebra)


def _shared(axis: int, reads: NDArray[np.bool_], field: Field, algebra: Algebra) -> Field:
    if field.shape[axis] == 1 and reads.any(axis=1).all():
        return field
    moved = np.moveaxis(widened(field, axis, reads.shape[1]), axis, 0)
    return np.moveaxis(algebra.share(reads, moved), 0, axis)


class Part(NamedTuple):
    """A part of an axis that `Cut` and `Put` hand over: places `start` to `stop` of so many (`length`)."""

    axis: int
    start: int
    stop: int
    length: int

    def taken(self, field: Field) -> Field:
        """The part of a field."""
        if field.shape[self.axis] == 1:
            return field
        return field[(slice(None),) * self.axis + (slice(self.start, self.stop),)]

    def placed(self, field: Field) -> "Piece":
        """A field as this part of a longer one."""
        return Piece(self, widened(field, self.axis, self.stop - self.start))


class Piece(NamedTuple):
    """A field that fills only a part of an axis; nothing arrives elsewhere."""

    part: Part
    field: Field


class Cut(NamedTuple):
    """The result is a part of an axis (Split)."""

    part: Part

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The part."""
        return self.part.taken(field)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The part in its place."""
        return joined([self.part.placed(field)], algebra)


class Put(NamedTuple):
    """The source becomes a part of an axis (Concat)."""

    part: Part

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The source in its place."""
        return joined([self.part.placed(field)], algebra)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The part that it became."""
        return self.part.taken(field)


def joined(pieces: Sequence[Piece], algebra: Algebra) -> Field:
    """Pieces along one axis as one field, zeros between them."""
    axis, length = pieces[0].part.axis, pieces[0].part.length
    common = list(np.broadcast_shapes(*(_without(piece.field.shape, axis) for piece in pieces)))
    _require_memory(prod([*common[:axis], length, *common[axis + 1 :]]) * pieces[0].field.itemsize)
    fields: list[Field] = []
    at = 0
    for piece in sorted(pieces, key=lambda one: one.part.start):
        if piece.part.start < at:  # parts that overlap
            return added([joined([one], algebra) for one in pieces], algebra)
        fields += _gap(common, axis, piece.part.start - at, piece.field)
        common[axis] = piece.part.stop - piece.part.start
        fields.append(np.broadcast_to(piece.field, common))
        at = piece.part.stop
    fields += _gap(common, axis, length - at, pieces[0].field)
    return np.concatenate(fields, axis=axis)


def _require_memory(size: int) -> None:
    """Forty tensors that are each the last one twice have 2^40 units: no network that can be read."""
    if size > MOST_BYTES:
        raise ValueError(f"joined tensors have too many units: telling them apart takes {size:,} bytes")


def _gap(common: list[int], axis: int, length: int, like: Field) -> list[Field]:
    if length <= 0:
        return []
    return [np.zeros((*common[:axis], length, *common[axis + 1 :]), like.dtype)]


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], 1, *shape[axis + 1 :])
