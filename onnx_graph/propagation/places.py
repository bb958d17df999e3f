"""Steps along one axis with known positions: picking positions, cutting and joining parts, and positions that read others."""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnx_graph.propagation.algebra import Algebra, added
from onnx_graph.propagation.field import Field, widened

MOST_BYTES = 1 << 27
"""Maximal bytes of the field of one joined tensor."""


class Pick(NamedTuple):
    """A step that picks positions: position i of the result is position `places[i]` of an axis of `length` positions; −1: a constant."""

    axis: int
    places: NDArray[np.int64]
    length: int

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field at the picked positions."""
        if field.shape[self.axis] == 1:
            return field if (self.places >= 0).any() else np.zeros_like(field)
        found = np.take(field, self.places, axis=self.axis)
        if (self.places < 0).any():
            found[(slice(None),) * self.axis + (self.places < 0,)] = 0
        return found

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field moved back to the picked positions; zero at all others."""
        moved = np.moveaxis(widened(field, self.axis, len(self.places)), self.axis, 0)
        target = np.zeros((self.length, *moved.shape[1:]), field.dtype)
        taken = self.places >= 0
        algebra.put(target, self.places[taken], moved[taken])
        return np.moveaxis(target, 0, self.axis)


class Reads(NamedTuple):
    """A step in which every output position along an axis reads some input positions: `reads` ``(out, in)``."""

    axis: int
    reads: NDArray[np.bool_]

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """For each output position, the aggregate of the positions that it reads."""
        return _shared(self.axis, self.reads, field, algebra)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """For each input position, the aggregate of the positions that read it."""
        return _shared(self.axis, self.reads.T, field, algebra)


def _shared(axis: int, reads: NDArray[np.bool_], field: Field, algebra: Algebra) -> Field:
    if field.shape[axis] == 1 and reads.any(axis=1).all():
        return field
    moved = np.moveaxis(widened(field, axis, reads.shape[1]), axis, 0)
    return np.moveaxis(algebra.share(reads, moved), 0, axis)


class Part(NamedTuple):
    """A part of an axis, used by `Cut` and `Put`: positions `start` to `stop` of `length`."""

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
    """A step whose result is a part of an axis (Split)."""

    part: Part

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field of the part."""
        return self.part.taken(field)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field of the whole axis, with the part at its position."""
        return joined([self.part.placed(field)], algebra)


class Put(NamedTuple):
    """A step whose source becomes a part of an axis (Concat)."""

    part: Part

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field of the whole axis, with the source at its position."""
        return joined([self.part.placed(field)], algebra)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field of the part."""
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
    """Refuse fields that are too large: joining a tensor with itself forty times in a row gives 2^40 units."""
    if size > MOST_BYTES:
        raise ValueError(f"joined tensors have too many units: telling them apart takes {size:,} bytes")


def _gap(common: list[int], axis: int, length: int, like: Field) -> list[Field]:
    if length <= 0:
        return []
    return [np.zeros((*common[:axis], length, *common[axis + 1 :]), like.dtype)]


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], 1, *shape[axis + 1 :])
