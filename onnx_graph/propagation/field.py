"""Fields: one number or truth value for every place of a tensor.

A field has the axes of its tensor. An axis of length 1 stands for "the same at every place": the channels of an image are
``(1, C, 1, 1)``, the features of a sequence ``(1, 1, F)``. The field of a tensor of unknown rank has no axes. An algebra may add
further axes at the end (one for every source that is told apart); they travel along.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[Any]
Dim: TypeAlias = int | str | None
"""Length of an axis: a number, a name (two axes of one name are equally long), or None where nothing is known."""
Dims: TypeAlias = tuple[Dim, ...]


def widened(field: Field, axis: int, length: int) -> Field:
    """The field with full length along an axis (a view)."""
    if field.shape[axis] == length:
        return field
    return np.broadcast_to(field, (*field.shape[:axis], length, *field.shape[axis + 1 :]))


def with_axes(field: Field, axes: tuple[int, ...]) -> Field:
    """The field with axes of length 1 put in; they count in the result, in growing order."""
    shape = list(field.shape)
    for axis in axes:
        shape.insert(axis, 1)
    return field.reshape(shape)


def reshaped(field: Field, shape: tuple[int, ...], rank: int) -> Field:
    """The field with other axes in the place of its first `rank` ones."""
    return field.reshape((*shape, *field.shape[rank:]))
