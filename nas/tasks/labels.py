"""Classes from raw labels: sorted, named, numbered from 0."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError

MOST_CLASSES = 10_000
LONGEST_NAME = 1_000
"""Most characters of a class name: the names are written into every exported file."""


def number_classes(
    labels: Mapping[str, NDArray[np.generic]], where: str
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Class numbers of each part and the names of the classes, sorted as numbers or as texts.

    Args:
        labels: raw labels ``(N,)`` by name of the part; whole numbers, bools or texts; the first part is for training.
        where: name of the data, for errors.

    Raises:
        DataError: labels of mixed kinds, a class that training does not have, or only one class.
    """
    first = next(iter(labels))
    known = np.unique(labels[first])
    numbered = {}
    for part, values in labels.items():
        if (values.dtype.kind in "US") != (known.dtype.kind in "US"):
            raise DataError(
                f"{where}: {part} holds {values.dtype} and {first} {known.dtype}; use whole numbers or texts in both"
            )
        strange = ~np.isin(values, known)
        if strange.any():
            at = int(strange.argmax())
            raise DataError(
                f"{where}: {part} has the class {str(values[at])!r} at index {at}, which {first} does not have"
            )
        numbered[part] = np.searchsorted(known, values).astype(np.int64)
    names = tuple(str(name) for name in known[: MOST_CLASSES + 1])
    _require_classes(names, first, where)
    return numbered, names


def number_texts(values: Sequence[str], name: str, where: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Like `number_classes`, but for one column of texts; a single long text does not increase the memory of all others."""
    names = tuple(sorted(set(values)))
    _require_classes(names, name, where)
    numbers = {text: number for number, text in enumerate(names)}
    return np.array([numbers[value] for value in values], np.int64), names


def _require_classes(names: tuple[str, ...], first: str, where: str) -> None:
    if len(names) < 2:
        raise DataError(f"{where}: all labels of {first} are {names[0]!r}; a task needs at least two classes")
    if len(names) > MOST_CLASSES:
        raise DataError(f"{where}: {first} has more than {MOST_CLASSES:,} classes")
    longest = max(names, key=len)
    if len(longest) > LONGEST_NAME:
        raise DataError(
            f"{where}: a class of {first} has a name of {len(longest):,} characters, {longest[:40]!r}…; expected at most {LONGEST_NAME:,}"
        )
