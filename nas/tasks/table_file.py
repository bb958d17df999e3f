"""The user's own table: a csv file with a header, in which one column is the class to predict.

A column of numbers is one feature, standardised by the training part. A column of texts becomes one feature for each text,
in sorted order: 1 where the cell is that text, else 0; `Task.features` names them ``column=text``. Nothing is guessed in a
column of mostly numbers: missing values and texts are errors that name column and line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError, UsageError
from nas.tasks.csv_file import LONGEST_NAME, read_csv, short, some
from nas.tasks.labels import number_classes, number_texts
from nas.tasks.memory_limit import require_memory
from nas.tasks.preparation import prepare, standard_normalisation
from nas.tasks.split import Examples, divide
from nas.tasks.task import Normalisation, Task

MOST_COMPARED = 1_000
"""Most column names to compare a misspelt target with."""
MISSING = frozenset(("", "na", "nan", "n/a", "null", "?"))
MAX_CATEGORIES = 100
BYTES_OF_A_VALUE = 36
"""Bytes of one feature in one row: float64, its parts, float32, the average."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column of the table as features.

    Attributes:
        names: names of the features.
        numbers: float64 ``(N,)`` if the column is a feature to standardise, else None.
        codes: int64 ``(N,)``, index of the feature that is 1, if each category is a feature; else None.
    """

    names: tuple[str, ...]
    numbers: NDArray[np.float64] | None = None
    codes: NDArray[np.int64] | None = None


def load_table_file(path: Path, *, name: str, target: str | None, subset: int | None = None, seed: int = 0) -> Task:
    """The task of a csv file whose column `target` holds the classes.

    Raises:
        DataError: any fault of the file, in one line that names the file, column and line.
        UsageError: the target column does not exist, or the subset is too small.
    """
    table = read_csv(path)
    columns = table.columns
    if target is None:
        raise UsageError(
            f"{path}: say which column holds the classes, --target COLUMN; the columns are {some(columns)}"
        )
    _require_column(path, target, columns)
    for column, values in columns.items():
        _refuse_missing(path, column, values, table.lines)
    y, classes = _labels(path, target, columns.pop(target))
    if not columns:
        raise DataError(f"{path}: no column beside the target {target!r}")
    count = len(columns)
    encoded = [_encode(path, column, columns.pop(column), table.lines) for column in list(columns)]
    features = tuple(feature for column in encoded for feature in column.names)
    require_memory(f"{path}: {len(y):,} rows of {len(features):,} features", len(y) * len(features) * BYTES_OF_A_VALUE)
    parts = divide(Examples(x=_matrix(encoded), y=y), where=str(path), classes=classes, seed=seed, subset=subset)
    numeric = np.array([column.numbers is not None for column in encoded for _ in column.names])
    return prepare(
        name,
        parts,
        outputs=len(classes),
        normalisation=_normalisation(parts[0].x, numeric),
        classes=classes,
        features=features,
        description=f"{path.name}, {len(features)} features of {count} columns, {len(classes)} classes of {target}",
    )


def _require_column(path: Path, target: str, columns: Mapping[str, object]) -> None:
    """`UsageError` with the nearest names; it does not compare all names, which would take minutes for 100,000."""
    if target not in columns:
        near = get_close_matches(target[:LONGEST_NAME], list(columns)[:MOST_COMPARED], n=1, cutoff=0)
        raise UsageError(
            f"unknown target column of {path.name} {short(target)}; did you mean {near[0]!r}? Known: {some(columns)}"
        )


def _refuse_missing(path: Path, column: str, values: Sequence[str], lines: Sequence[int]) -> None:
    missing = [line for value, line in zip(values, lines, strict=True) if value.lower() in MISSING]
    if missing:
        raise DataError(
            f"{path}: column {short(column)} has {len(missing)} missing values, the first in line {missing[0]}; fill or drop them"
        )


def _number(value: str) -> float | None:
    """The number that a text represents, or None."""
    try:
        return float(value)
    except ValueError:
        return None


def _labels(path: Path, column: str, values: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers and names; sorted as whole numbers if all labels are such (10 comes after 9), else as texts."""
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return number_texts(values, column, str(path))
    broken = next((number for number in known if not number.is_integer() or abs(number) > 1e15), None)
    if broken is not None:
        raise DataError(
            f"{path}: target column {short(column)} holds numbers such as {broken:g}; expected classes (regression is not supported)"
        )
    numbered, classes = number_classes({column: np.array(known).astype(np.int64)}, str(path))
    return numbered[column], classes


def _encode(path: Path, column: str, values: Sequence[str], lines: Sequence[int]) -> Column:
    numbers = [_number(value) for value in values]
    strange = [i for i, number in enumerate(numbers) if number is None]
    if not strange:
        array = np.array(numbers, np.float64)
        wrong = np.flatnonzero(~np.isfinite(array))
        if len(wrong):
            raise DataError(
                f"{path}: column {short(column)}, line {lines[wrong[0]]}: {short(values[wrong[0]])} is not finite"
            )
        return Column((column,), numbers=array)
    if len(strange) * 2 < len(values):
        raise DataError(
            f"{path}: column {short(column)}, line {lines[strange[0]]}: {short(values[strange[0]])} is not a number, "
            "unlike most of the column"
        )
    categories = sorted(set(values))
    if len(categories) > MAX_CATEGORIES or (len(categories) > 10 and len(categories) * 2 > len(values)):
        raise DataError(
            f"{path}: column {short(column)} has {len(categories)} different texts, too many for one feature each; drop or group them"
        )
    longest = max(categories, key=len)
    if len(longest) > LONGEST_NAME:
        raise DataError(
            f"{path}: column {short(column)} holds a text of {len(longest):,} characters, {short(longest)}; "
            f"expected numbers, or categories of at most {LONGEST_NAME:,}"
        )
    numbers_of = {category: number for number, category in enumerate(categories)}
    codes = np.array([numbers_of[value] for value in values], np.int64)
    return Column(tuple(f"{column}={category}" for category in categories), codes=codes)


def _matrix(columns: Sequence[Column]) -> NDArray[np.float64]:
    """All features, float64 ``(N, features)``: numbers unchanged, 1 for the category of a row."""
    first = columns[0].numbers if columns[0].numbers is not None else columns[0].codes
    x = np.zeros((0 if first is None else len(first), sum(len(column.names) for column in columns)))
    at = 0
    for column in columns:
        if column.numbers is not None:
            x[:, at] = column.numbers
        elif column.codes is not None:
            x[np.arange(len(x)), at + column.codes] = 1
        at += len(column.names)
    return x


def _normalisation(x: NDArray[np.generic], numeric: NDArray[np.bool_]) -> Normalisation:
    """Standardises the numbers and leaves the zeros and ones of categories as they are."""
    standard = standard_normalisation(x, feature_axis=-1)
    return Normalisation(
        np.where(numeric, standard.offset, np.float32(0)), np.where(numeric, standard.scale, np.float32(1))
    )
