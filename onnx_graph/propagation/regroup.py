"""Reshaping: the same positions in the same order, along other axes."""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from onnx_graph.propagation.algebra import Algebra, folded
from onnx_graph.propagation.field import Dim, Dims, Field, reshaped


class Regroup(NamedTuple):
    """A reshape step: runs of axes with equal products of lengths are matched, first from the right, then from the left.

    A run along which everything is the same keeps length 1. Axes that cannot be matched, as lengths are unknown, are aggregated.
    """

    before: Dims
    after: Dims

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field with the axes of the result."""
        return _carried(field, self.before, self.after, algebra)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field with the axes of the source."""
        return _carried(field, self.after, self.before, algebra)


def _carried(field: Field, before: Dims, after: Dims, algebra: Algebra) -> Field:
    rank = len(before)
    if all(length == 1 for length in field.shape[:rank]):
        return reshaped(field, (1,) * len(after), rank)
    wide: list[int] = [1] * rank
    shape: list[int] = [1] * len(after)
    for inner, outer, full in _runs(before, after):
        if any(length > 1 for length in field.shape[inner]):
            if full:
                wide[inner], shape[outer] = before[inner], after[outer]  # type: ignore[assignment]
            else:
                field = folded(field, tuple(range(inner.start, inner.stop)), algebra)
    tail = field.shape[rank:]
    if prod(wide) * prod(tail) > algebra.largest:
        return reshaped(folded(field, tuple(range(rank)), algebra), (1,) * len(after), rank)
    return np.broadcast_to(field, (*wide, *tail)).reshape(*shape, *tail)


def _runs(before: Dims, after: Dims) -> Iterator[tuple[slice, slice, bool]]:
    """Matching runs of axes, and whether all their lengths are known."""
    right_in, right_out = len(before), len(after)
    while right_in and right_out:
        run = _run(before, after, right_in, right_out)
        if run is None:
            break
        yield slice(run[0], right_in), slice(run[1], right_out), True
        right_in, right_out = run
    left = 0
    while left < min(right_in, right_out) and before[left] is not None and before[left] == after[left]:
        yield slice(left, left + 1), slice(left, left + 1), isinstance(before[left], int)
        left += 1
    if left < right_in or left < right_out:
        yield slice(left, right_in), slice(left, right_out), False


def _run(before: Dims, after: Dims, i: int, j: int) -> tuple[int, int] | None:
    """Starts of the shortest runs ending before axes ``i`` and ``j`` that have the same product; None if unknown."""
    one: Dim = before[i - 1]
    two: Dim = after[j - 1]
    i, j = i - 1, j - 1
    while isinstance(one, int) and isinstance(two, int) and one and two:
        if one == two:
            return i, j
        if one < two:
            if not i:
                return None
            i -= 1
            step = before[i]
            one = one * step if isinstance(step, int) else step
        else:
            if not j:
                return None
            j -= 1
            step = after[j]
            two = two * step if isinstance(step, int) else step
    return None
