"""n-gram baselines for the Reber tasks: the result on the test split of a reader that sees only the last n symbols.

Seed 0 (seeds 1 and 2 differ by at most .11 for bigrams and .005 for all others):

| task                     | measure                               | n = 2 |     3 |     4 |     5 |     6 |
|--------------------------|---------------------------------------|-------|-------|-------|-------|-------|
| reber                    | legality                              | .5829 |    1. |    1. | .9998 | .9997 |
| embedded-reber           | legality                              | .3694 | .9199 | .9733 | .9730 | .9726 |
| reber-strings            | accuracy                              | .9375 |    1. | .9975 | .9975 | .9950 |
| embedded-reber-strings   | accuracy                              | .6625 | .7500 | .7500 | .7475 | .7475 |
| embedded-reber-strings   | accuracy where an outer symbol changed |   .5 |    .5 |    .5 |    .5 |    .5 |

Trigrams solve plain Reber strings, so these do not prove memory. On embedded strings a perfect reader without memory is
right on half of the closing outer symbols and reaches legality .9733; 99 % needs 81 % of them. As a classifier it reaches 75 %.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from nas.tasks.grammar import SYMBOLS
from nas.tasks.task import Split

PAD = len(SYMBOLS)


def symbols_of(split: Split) -> NDArray[np.int64]:
    """Symbol numbers ``(N, T)`` of one-hot inputs, 7 on padding."""
    return np.where(split.x.any(-1), split.x.argmax(-1), PAD).astype(np.int64)


def _windows(symbols: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """A number for the last n symbols at each step, ``(N, T)``; symbols before the start are padding."""
    padded = np.pad(symbols, ((0, 0), (n - 1, 0)), constant_values=PAD)
    windows = np.zeros_like(symbols)
    for i in range(n):
        windows = windows * (len(SYMBOLS) + 1) + padded[:, i : i + symbols.shape[1]]
    return windows


def next_symbol_predictions(train: Split, test: Split, n: int) -> NDArray[np.int64]:
    """The symbol that most often follows the last n − 1 symbols in `train`, for each step of `test`, ``(N, T)``; n ≥ 2."""
    counts = np.zeros(((len(SYMBOLS) + 1) ** (n - 1), len(SYMBOLS)), np.int64)
    real = train.y >= 0
    np.add.at(counts, (_windows(symbols_of(train), n - 1)[real], train.y[real]), 1)
    return cast("NDArray[np.int64]", counts.argmax(-1)[_windows(symbols_of(test), n - 1)])


def next_symbol_legality(train: Split, test: Split, n: int) -> float:
    """Share of steps of `test` where the n-gram prediction is legal; n ≥ 2."""
    if test.legal is None:
        raise ValueError("legality needs the legal symbols of each step: a next-symbol task")
    right = np.take_along_axis(test.legal, next_symbol_predictions(train, test, n)[..., None], -1)[..., 0]
    return float(right[test.y >= 0].mean())


def string_predictions(train: Split, test: Split, n: int) -> NDArray[np.int64]:
    """Class of each string of `test`: 0 (illegal) if it holds n consecutive symbols that no legal string of `train` has."""
    seen = np.zeros((len(SYMBOLS) + 1) ** n, bool)
    seen[_windows(symbols_of(train), n)[train.y == 1]] = True
    return np.asarray(seen[_windows(symbols_of(test), n)].all(-1), np.int64)


def string_accuracy(train: Split, test: Split, n: int) -> float:
    """Share of strings of `test` that the n-grams classify correctly."""
    return float((string_predictions(train, test, n) == test.y).mean())
