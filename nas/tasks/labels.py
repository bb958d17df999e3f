"""Classes from raw labels: sorted, named, numbered from 0."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError


def number_classes(
    labels: Mapping[str, NDArray[np.generic]], where: str
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Class numbers of each part and the names of the classes, sorted as numbers or as texts.

    Args:
        labels: raw labels ``(N,)`` of each part by its name, whole numbers, bools or texts; the first part is for training.
        where: the data's name, for errors.

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
    if len(known) < 2:
        raise DataError(f"{where}: all labels of {first} are {str(known[0])!r}; a task needs at least two classes")
    return numbered, tuple(str(name) for name in known)
