"""Divisions of a corpus into networks to learn from and networks to judge by."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.corpus.corpus import Corpus
from nas.seeds import generator


@dataclass(frozen=True, eq=False, kw_only=True)
class Division:
    """Rows of a corpus.

    Attributes:
        left_out: what the judged networks have in common; empty for a random division.
        fitted: rows to learn from, int64 ``(networks,)``.
        judged: rows to judge by.
    """

    left_out: str
    fitted: NDArray[np.int64]
    judged: NDArray[np.int64]


def random_division(corpus: Corpus, labels: int, seed: int) -> Division:
    """So many random networks to learn from, all others to judge by."""
    order = generator(seed, "division", labels).permutation(len(corpus))
    return Division(left_out="", fitted=np.sort(order[:labels]), judged=np.sort(order[labels:]))


def leave_recipe_out(corpus: Corpus, labels: int | None = None, seed: int = 0) -> Iterator[Division]:
    """Every pattern in turn is judged by a predictor that saw the other patterns alone."""
    yield from _leave_out(corpus, [one.recipe for one in corpus.networks], labels, seed)


def leave_density_out(corpus: Corpus, labels: int | None = None, seed: int = 0) -> Iterator[Division]:
    """Every density band in turn."""
    yield from _leave_out(corpus, [band for _, band in corpus.cells], labels, seed)


def leave_task_out(corpus: Corpus, labels: int | None = None, seed: int = 0) -> Iterator[Division]:
    """Every task in turn, in all its domains."""
    yield from _leave_out(corpus, [corpus.domains[one.domain].task for one in corpus.networks], labels, seed)


def _leave_out(corpus: Corpus, groups: list[str], labels: int | None, seed: int) -> Iterator[Division]:
    for name in sorted(set(groups)):
        inside = np.array([group == name for group in groups])
        fitted = np.flatnonzero(~inside)
        if labels is not None and len(fitted) > labels:
            fitted = np.sort(generator(seed, "leave-out", name).permutation(fitted)[:labels])
        if len(fitted):
            yield Division(left_out=name, fitted=fitted, judged=np.flatnonzero(inside))
