"""Fixed, seeded, stratified division of examples into train, validation and test, and their cut to a subset.

Rows are put in a *stratified order*: they are shuffled, then interleaved so that classes stay in proportion; the first
row of each class comes first. Each prefix that is long enough holds every class, and a smaller subset is part of a larger one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError, UsageError

SUBSET_VALIDATION_SHARE = 0.2


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """Raw rows, before normalisation.

    Attributes:
        x: ``(N, *input_shape)`` of any numeric type.
        y: int64 ``(N,)`` classes or ``(N, T)`` next symbols.
        legal: bool ``(N, T, outputs)`` or None, see `Split`.
        strata: int64 ``(N,)`` groups to keep in proportion; None means `y`, if `y` has one class per row.
    """

    x: NDArray[np.generic]
    y: NDArray[np.int64]
    legal: NDArray[np.bool_] | None = None
    strata: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.x)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Groups to keep in proportion, int64 ``(N,)``."""
        if self.strata is not None:
            return self.strata
        return self.y if self.y.ndim == 1 else np.zeros(len(self), np.int64)

    def take(self, rows: NDArray[np.intp]) -> "Examples":
        """These rows, in this order."""
        legal = None if self.legal is None else self.legal[rows]
        strata = None if self.strata is None else self.strata[rows]
        return Examples(x=self.x[rows], y=self.y[rows], legal=legal, strata=strata)


def stratified_order(groups: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    """All row numbers, shuffled so that every prefix is in proportion and begins with one row of each group."""
    shuffled = rng.permutation(len(groups))
    by_group = np.argsort(groups[shuffled], kind="stable")
    _, starts, counts = np.unique(groups[shuffled][by_group], return_index=True, return_counts=True)
    rank = np.empty(len(groups))
    rank[by_group] = (np.arange(len(groups)) - np.repeat(starts, counts)) / np.repeat(counts, counts)
    return shuffled[np.argsort(rank, kind="stable")]


def divide_groups(
    groups: NDArray[np.int64],
    shares: tuple[float, ...],
    rng: np.random.Generator,
    where: str,
    classes: tuple[str, ...] = (),
) -> list[NDArray[np.intp]]:
    """Row numbers of each part, in stratified order. Every part gets at least one row of every group.

    Args:
        groups: int64 ``(N,)``.
        shares: share of each part; they sum to 1.
        rng: generator that draws the parts.
        where: name of the data, for the error.
        classes: names of the groups 0, 1, …, for the error.

    Raises:
        DataError: a group has fewer rows than there are parts.
    """
    names, counts = np.unique(groups, return_counts=True)
    if counts.min() < len(shares):
        least = int(counts.argmin())
        name = repr(classes[names[least]]) if classes else f"number {names[least]}"
        raise DataError(
            f"{where}: class {name} has too few rows to split, {counts[least]} of the {len(shares)} needed "
            "to have one in each part; add rows or drop the class"
        )
    order = stratified_order(groups, rng)
    part = np.empty(len(groups), np.intp)
    by_group = order[np.argsort(groups[order], kind="stable")]
    for rows in np.split(by_group, np.cumsum(counts)[:-1]):
        part[rows] = np.repeat(np.arange(len(shares)), _whole_shares(len(rows), shares))
    return [order[part[order] == i] for i in range(len(shares))]


def _whole_shares(total: int, shares: tuple[float, ...]) -> NDArray[np.intp]:
    """`total` as a sum of whole numbers ≥ 1 close to the shares; the largest one absorbs the rounding difference."""
    sizes = np.maximum(1, np.round(np.array(shares) * total)).astype(np.intp)
    sizes[sizes.argmax()] += total - sizes.sum()
    return sizes


def divide(
    train: Examples,
    validation: Examples | None = None,
    test: Examples | None = None,
    *,
    where: str,
    classes: tuple[str, ...] = (),
    seed: int = 0,
    subset: int | None = None,
    share: float = 0.2,
) -> tuple[Examples, Examples, Examples]:
    """Train, validation and test; a missing part is cut from `train`, stratified, with the share `share`.

    Args:
        train: all rows, or only the training rows if the other parts are given.
        validation: given by the data, else cut from `train`.
        test: given by the data, else cut from `train`; its order is kept if it is not cut.
        where: name of the data, for errors.
        classes: names of the classes 0, 1, …, for errors.
        seed: seed of the division. The same seed gives the same division for every `subset`.
        subset: see `cut`.
        share: share of `train` for each part that is not given.

    Raises:
        DataError: a class has too few rows to be in every part.
        UsageError: the subset is too small to hold every class.
    """
    missing = (validation is None) + (test is None)
    made: list[Examples] = []
    if missing:
        shares = (1 - share * missing,) + (share,) * missing
        rng = np.random.default_rng([seed, 1])
        train, *made = (train.take(rows) for rows in divide_groups(train.groups, shares, rng, where, classes))
    whole = [made.pop(0) if part is None else part for part in (validation, test)]
    return cut(train, whole[0], whole[1], subset=subset, seed=seed, where=where)


def cut(
    train: Examples, validation: Examples, test: Examples, *, subset: int | None, seed: int, where: str
) -> tuple[Examples, Examples, Examples]:
    """At most `subset` rows of train and validation together, and at most `subset` of test; None keeps everything.

    The validation part keeps its share of the two, or gets a fifth if that is more; otherwise validation would be too small to
    compare networks in a quick run. Cuts are stratified, seeded and keep every class; a smaller cut is part of a larger one.
    """
    if subset is None:
        return train, validation, test
    if subset < 1:
        raise UsageError(f"subset must be a positive number of rows, got {subset}")
    total = len(train) + len(validation)
    share = max(SUBSET_VALIDATION_SHARE, len(validation) / total)
    n_validation = min(round(subset * share), len(validation))
    sizes = (min(subset - n_validation, len(train)), n_validation, min(subset, len(test)))
    needed = tuple(len(np.unique(part.groups)) for part in (train, validation, test))
    if subset < total and any(size < need for size, need in zip(sizes, needed, strict=True)):
        least = int(max(needed[0] / (1 - share), needed[1] / share, needed[2])) + 1
        raise UsageError(
            f"{where}: a subset of {subset} rows cannot hold all {max(needed)} classes in train and validation; take at least {least}"
        )
    return _prefix(train, sizes[0], seed), _prefix(validation, sizes[1], seed), _prefix(test, sizes[2], seed)


def _prefix(part: Examples, n: int, seed: int) -> Examples:
    """The first n rows in stratified order; the unchanged part if it has no more rows."""
    if n >= len(part):
        return part
    return part.take(stratified_order(part.groups, np.random.default_rng([seed, 2]))[:n])
