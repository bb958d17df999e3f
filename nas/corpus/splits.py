"""Divisions of a corpus into networks to fit a predictor on and networks to test it on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.corpus.corpus import Corpus
from nas.seeds import generator


@dataclass(frozen=True, eq=False, kw_only=True)
class Division:
    """Division of the rows of a corpus.

    Attributes:
        left_out: name of the group that is tested; empty for a random division.
        fitted: rows to fit on, int64 ``(networks,)``.
        judged: rows to test on, int64 ``(networks,)``.
    """

    left_out: str
    fitted: NDArray[np.int64]
    judged: NDArray[np.int64]


def random_division(corpus: Corpus, labels: int, seed: int) -> Division:
    """`labels` random networks to fit on, all others to test on."""
    order = generator(seed, "division", labels).permutation(len(corpus))
    return Division(left_out="", fitted=np.sort(order[:labels]), judged=np.sort(order[labels:]))


def leave_recipe_out(corpus: Corpus, labels: int | None = None, seed: int = 0) -> Iterator[Division]:
    """Leave out one mask pattern after the other: fit on the other patterns, test on this one."""
    yield from _leave_out(corpus, [one.recipe for one in corpus.networks], labels, seed)


def leave_density_out(corpus: Corpus, labels: int | None = None, seed: int = 0) -> Iterator[Division]:
    """Leave out one density band after the other."""
    yield from _leave_out(corpus, [band for _, band in corpus.cells], labels, seed)


def leave_task_out(corpus: Corpus, labels: int | None = None, seed: int = 0) -> Iterator[Division]:
    """Leave out one task after the other, with all its domains."""
    yield from _leave_out(corpus, [corpus.domains[one.domain].task for one in corpus.networks], labels, seed)


def _leave_out(corpus: Corpus, groups: list[str], labels: int | None, seed: int) -> Iterator[Division]:
    for name in sorted(set(groups)):
        inside = np.array([group == name for group in groups])
        fitted = np.flatnonzero(~inside)
        if labels is not None and len(fitted) > labels:
            fitted = np.sort(generator(seed, "leave-out", name).permutation(fitted)[:labels])
        if len(fitted):
            yield Division(left_out=name, fitted=fitted, judged=np.flatnonzero(inside))
