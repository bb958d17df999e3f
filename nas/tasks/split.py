"""Fixed, seeded, stratified division of examples into train, validation and test, and their cut to a subset.

Rows are put in a *stratified order*: shuffled, then classes dealt out in proportion, the first row of each class
foremost. Each prefix of that order holds every class, so a smaller subset is always part of a larger one.
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
        strata: int64 ``(N,)`` what to keep in proportion; None means `y` where that is one class a row.
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
        """What to keep in proportion, int64 ``(N,)``."""
        if self.strata is not None:
            return self.strata
        return self.y if self.y.ndim == 1 else np.zeros(len(self), np.int64)

    def take(self, rows: NDArray[np.intp]) -> "Examples":
        """These rows, in this order."""
        legal = None if self.legal is None else self.legal[rows]
        strata = None if self.strata is None else self.strata[rows]
        return Examples(x=self.x[rows], y=self.y[rows], legal=legal, strata=strata)


def stratified_order(groups: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    """All row numbers, shuffled so that every prefix is in proportion and holds one of each group as soon as it can."""
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
        shares: of each part; they sum to 1.
        rng: draws who goes where.
        where: the data's name, for the error.
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
    """`total` in whole numbers ≥ 1 close to the shares; what rounding leaves goes to or comes from the largest."""
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
    """Train, validation and test; what is not given is cut from `train`, `share` of it each, stratified.

    Args:
        train: all rows, or those left for training where the other parts are given.
        validation: given by the data, else cut from `train`.
        test: given by the data, else cut from `train`; its own order is kept where it is not cut.
        where: the data's name, for errors.
        classes: names of the classes 0, 1, …, for errors.
        seed: of the division. The same seed gives the same division, whatever `subset` is.
        subset: see `cut`.
        share: of `train` for each part that is not given.

    Raises:
        DataError: a class with too few rows to be in every part.
        UsageError: a subset too small to hold every class.
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
    """At most `subset` rows of train and validation together, and at most `subset` of test; None cuts nothing.

    The validation part keeps its share of the two, or a fifth if that is more: a quick run on 10 % of 1,000 rows could
    not tell one network from another. Cuts are stratified, seeded, keep every class, and a smaller one is part of a larger one.
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
    """The first n rows in stratified order; the part itself where that is all of it."""
    if n >= len(part):
        return part
    return part.take(stratified_order(part.groups, np.random.default_rng([seed, 2]))[:n])
