"""Groups of rows of states, such as the nodes of a graph, reduced to one row per group."""

from dataclasses import dataclass

import numpy as np

from predictors.models.gnn.graph_batch import Floats, Numbers


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Groups of rows.

    Attributes:
        counts: number of rows of every group, ``(groups,)``.
        order: rows sorted by group; None if they are already sorted.
        some, starts: non-empty groups, and the position in `order` of the first row of each.
    """

    counts: Numbers
    order: Numbers | None
    some: Numbers
    starts: Numbers

    @classmethod
    def of(cls, owner: Numbers, groups: int) -> "RowGroups":
        """Make the groups from the group of every row."""
        counts = np.bincount(owner, minlength=groups)
        order = None if (owner[1:] >= owner[:-1]).all() else np.argsort(owner, kind="stable")
        some = np.flatnonzero(counts)
        return cls(counts, order, some, np.concatenate(([0], np.cumsum(counts[some])[:-1])).astype(np.int64))

    def mean(self, state: Floats) -> Floats:
        """Mean over the rows of every group, ``(groups, members, width)``; 0 for an empty group."""
        found = self._reduced(np.add, state)
        found /= np.maximum(self.counts, 1).astype(np.float32)[:, None, None]
        return found

    def largest(self, state: Floats) -> Floats:
        """Maximum over the rows of every group; 0 for an empty group."""
        return self._reduced(np.maximum, state)

    def _reduced(self, function: np.ufunc, state: Floats) -> Floats:
        found = np.zeros((len(self.counts), *state.shape[1:]), np.float32)
        if len(self.some):
            rows = state if self.order is None else state[self.order]
            found[self.some] = function.reduceat(rows, self.starts, axis=0)
        return found
