"""Rows of states that belong together, the nodes of a graph for one, reduced to one row a group."""

from dataclasses import dataclass

import numpy as np

from predictors.models.gnn.graph_batch import Floats, Numbers


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Rows that belong together.

    Attributes:
        counts: rows of every group, ``(groups,)``.
        order: the rows by group; None where they are in order.
        some, starts: groups that have rows, and where in `order` these begin.
    """

    counts: Numbers
    order: Numbers | None
    some: Numbers
    starts: Numbers

    @classmethod
    def of(cls, owner: Numbers, groups: int) -> "RowGroups":
        """From the group of every row."""
        counts = np.bincount(owner, minlength=groups)
        order = None if (owner[1:] >= owner[:-1]).all() else np.argsort(owner, kind="stable")
        some = np.flatnonzero(counts)
        return cls(counts, order, some, np.concatenate(([0], np.cumsum(counts[some])[:-1])).astype(np.int64))

    def mean(self, state: Floats) -> Floats:
        """Mean over the rows of every group, ``(groups, members, width)``; 0 where there are none."""
        found = self._reduced(np.add, state)
        found /= np.maximum(self.counts, 1).astype(np.float32)[:, None, None]
        return found

    def largest(self, state: Floats) -> Floats:
        """The largest of every group; 0 where there are none."""
        return self._reduced(np.maximum, state)

    def _reduced(self, function: np.ufunc, state: Floats) -> Floats:
        found = np.zeros((len(self.counts), *state.shape[1:]), np.float32)
        if len(self.some):
            rows = state if self.order is None else state[self.order]
            found[self.some] = function.reduceat(rows, self.starts, axis=0)
        return found
