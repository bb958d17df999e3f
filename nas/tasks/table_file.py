"""The user's own table: a csv file with a header, one column the class to predict.

A column of numbers is one feature, standardised by the training part. A column of texts is one feature for each text, in
sorted order, 1 where it is that text and else 0; `Task.features` names them ``column=text``. Numbers, or several texts with a
number among them, are never guessed at: missing and strange values are errors that name column and line.
The delimiter is whichever of comma, semicolon and tab the header has most of.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError, UsageError
from nas.tasks.labels import number_classes
from nas.tasks.preparation import prepare, standard_normalisation
from nas.tasks.split import Examples, divide
from nas.tasks.task import Normalisation, Task
from onnx_graph import require_name

MISSING = frozenset(("", "na", "nan", "n/a", "null", "?"))
MAX_CATEGORIES = 100


def load_table_file(path: Path, *, name: str, target: str | None, subset: int | None = None, seed: int = 0) -> Task:
    """The task of a csv file whose column `target` holds the classes.

    Raises:
        DataError: what a file can be wrong in, one line that names the file, column and line.
        UsageError: no such target column, or a subset too small.
    """
    header, rows, lines = _read(path)
    if target is None:
        raise UsageError(
            f"{path}: say which column holds the classes, --target COLUMN; the columns are {', '.join(header)}"
        )
    require_name(f"target column of {path.name}", target, header, UsageError)
    columns = {column: [row[i].strip() for row in rows] for i, column in enumerate(header)}
    for column, values in columns.items():
        _refuse_missing(path, column, values, lines)
    labels, classes = number_classes({target: _labels(path, target, columns.pop(target))}, str(path))
    if not columns:
        raise DataError(f"{path}: no column beside the target {target!r}")
    encoded = [_encode(path, column, values, lines) for column, values in columns.items()]
    features = tuple(feature for names, _, _ in encoded for feature in names)
    x = np.concatenate([values for _, values, _ in encoded], axis=1)
    parts = divide(Examples(x=x, y=labels[target]), where=str(path), classes=classes, seed=seed, subset=subset)
    numeric = np.array([is_number for names, _, is_number in encoded for _ in names])
    return prepare(
        name,
        parts,
        outputs=len(classes),
        normalisation=_normalisation(parts[0].x, numeric),
        classes=classes,
        features=features,
        description=f"{path.name}, {len(features)} features of {len(columns)} columns, {len(classes)} classes of {target}",
    )


def _read(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows, and the line on which each row ends."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True)
            header = [column.strip() for column in next(reader, [])]
            numbered = [(reader.line_num, row) for row in reader if row]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file in UTF-8 (byte {error.start}: {error.reason})") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a csv file: {error}") from None
    if not numbered:
        raise DataError(
            f"{path}: expected a header and rows, found {'an empty file' if not header else 'a header only'}"
        )
    repeated = [column for column in header if header.count(column) > 1 or not column]
    if repeated:
        raise DataError(
            f"{path}: the column name {repeated[0]!r} is {'empty' if not repeated[0] else 'there twice'}; each column needs its own"
        )
    for line, row in numbered:
        if len(row) != len(header):
            raise DataError(f"{path}: line {line} has {len(row)} values, expected {len(header)} as in the header")
    return header, [row for _, row in numbered], [line for line, _ in numbered]


def _refuse_missing(path: Path, column: str, values: Sequence[str], lines: Sequence[int]) -> None:
    missing = [line for value, line in zip(values, lines, strict=True) if value.lower() in MISSING]
    if missing:
        raise DataError(
            f"{path}: column {column!r} has {len(missing)} missing values, the first in line {missing[0]}; fill or drop them"
        )


def _number(value: str) -> float | None:
    """The number that a text is, or None."""
    try:
        return float(value)
    except ValueError:
        return None


def _labels(path: Path, column: str, values: Sequence[str]) -> NDArray[np.generic]:
    """Whole numbers where all are, so that 10 comes after 9; else texts."""
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return np.array(values)
    broken = next((number for number in known if not number.is_integer() or abs(number) > 1e15), None)
    if broken is not None:
        raise DataError(
            f"{path}: target column {column!r} holds numbers such as {broken:g}; expected classes (regression is not supported)"
        )
    return np.array(known).astype(np.int64)


def _encode(
    path: Path, column: str, values: Sequence[str], lines: Sequence[int]
) -> tuple[tuple[str, ...], NDArray[np.float64], bool]:
    """Names of the features of a column, their values ``(N, features)``, and whether they are numbers to standardise."""
    numbers = [_number(value) for value in values]
    strange = [i for i, number in enumerate(numbers) if number is None]
    if not strange:
        array = np.array(numbers, np.float64)
        wrong = [i for i, number in enumerate(array.tolist()) if not math.isfinite(number)]
        if wrong:
            raise DataError(f"{path}: column {column!r}, line {lines[wrong[0]]}: {values[wrong[0]]!r} is not finite")
        return (column,), array[:, None], True
    if len(strange) * 2 < len(values):
        raise DataError(
            f"{path}: column {column!r}, line {lines[strange[0]]}: {values[strange[0]]!r} is not a number, unlike most of the column"
        )
    categories, codes = np.unique(np.array(values), return_inverse=True)
    if len(categories) > MAX_CATEGORIES or (len(categories) > 10 and len(categories) * 2 > len(values)):
        raise DataError(
            f"{path}: column {column!r} has {len(categories)} different texts, too many for one feature each; drop or group them"
        )
    return tuple(f"{column}={category}" for category in categories), np.eye(len(categories))[codes.reshape(-1)], False


def _normalisation(x: NDArray[np.generic], numeric: NDArray[np.bool_]) -> Normalisation:
    """Standardises the numbers and leaves the zeros and ones of categories as they are."""
    standard = standard_normalisation(x, feature_axis=-1)
    return Normalisation(
        np.where(numeric, standard.offset, np.float32(0)), np.where(numeric, standard.scale, np.float32(1))
    )
