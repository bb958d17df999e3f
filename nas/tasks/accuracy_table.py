"""A table of accuracies that others measured: it answers a search in the place of trainings.

A csv file (``.csv``, ``.csv.gz``) or an npz file. Some columns describe a network in each row, as its search space says; the other
columns are measurements. One of them guides the search, another is read for the report. Accuracies are shares, or per cent if a column
holds a number above 1.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError, UsageError
from nas.input_file import opened
from nas.tasks.csv_file import LONGEST_NAME, read_csv, short, some
from nas.tasks.npz import read_npz
from nas.tasks.task import Split, Task
from search_spaces import Candidate, Signature, SpaceError, TabularSpace

SUFFIXES = (".csv", ".csv.gz", ".npz")
MOST_COMPARED = 1_000
"""Most column names to compare a misspelt name with."""
MISSING = frozenset(("", "na", "nan", "n/a", "null"))
VALIDATION = re.compile(r"x?valid(?:ation)?|val", re.IGNORECASE)
"""The part of a column's name that ``test`` takes the place of in the name of its test column."""
DATA_SETS: Mapping[str, Signature] = {
    "imagenet16": Signature(input_shape=(3, 16, 16), outputs=120),
    "cifar100": Signature(input_shape=(3, 32, 32), outputs=100),
    "cifar10": Signature(input_shape=(3, 32, 32), outputs=10),
}
"""Images and classes of the data sets of the benchmarks, by the name in a column's name; the first that fits. Otherwise CIFAR-10."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class AccuracyTable:
    """The accuracies of the networks of a table.

    Attributes:
        path: path of the file.
        column: column that guides the search.
        test_column: column that is read for the report; the same one if the table has no other.
        candidates: the networks that have both accuracies, ``N`` different ones.
        validation, test: their accuracies in [0, 1], ``(N,)`` each.
    """

    path: Path
    column: str
    test_column: str
    candidates: tuple[Candidate, ...]
    validation: Floats
    test: Floats

    @cached_property
    def _places(self) -> dict[str, int]:
        return {one.digest: place for place, one in enumerate(self.candidates)}

    def place(self, candidate: Candidate) -> int:
        """The place of a network; `DataError` if the table does not hold it."""
        if candidate.digest not in self._places:
            raise DataError(f"{self.path} does not hold the network {candidate.digest}")
        return self._places[candidate.digest]

    def __str__(self) -> str:
        """Where accuracies are looked up, for people."""
        test = f"test column {self.test_column}" if self.test_column != self.column else "which has no test column"
        return f"column {self.column} of {self.path.name}, {test}"


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenTable:
    """The columns of a file, not yet read as networks or accuracies.

    Attributes:
        columns: texts, or arrays of an npz file, by name.
        lines: lines of the file on which the rows of a csv file end; empty for an npz file.
        digest: SHA-256 of the file, hexadecimal.
    """

    path: Path
    columns: Mapping[str, Sequence[Any]]
    lines: Sequence[int]
    digest: str

    def task(self, column: str | None, test_column: str | None) -> Task:
        """The task that the networks were measured on, without its data."""
        name, test = self._names(column, test_column)
        signature = _signature(name)
        empty = Split(np.zeros((0, *signature.input_shape), np.float32), np.zeros(0, np.int64))
        return Task(
            name=name,
            signature=signature,
            train=empty,
            validation=empty,
            test=empty,
            fingerprint=hashlib.sha256(f"{self.digest}/{name}/{test}".encode()).hexdigest(),
            description=f"accuracies of {self.path.name}, looked up",
        )

    def accuracies(self, space: TabularSpace, column: str | None, test_column: str | None) -> AccuracyTable:
        """The networks of a space that have both accuracies.

        Raises:
            DataError: a column that describes the networks or holds the accuracies is missing or unfit, or fewer than two networks.
            UsageError: an unknown column.
        """
        name, test = self._names(column, test_column)
        try:
            rows = space.rows(self.columns)
        except (SpaceError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"{self.path}: {error}") from error
        validation, tested = self._shares(name), self._shares(test)
        if rows and max(row for row, _ in rows) >= min(len(validation), len(tested)):
            raise DataError(f"{self.path}: columns {name} and {test} have fewer rows than there are networks")
        known = [(row, one) for row, one in rows if np.isfinite(validation[row] + tested[row])]
        if len(known) < 2:
            raise DataError(
                f"{self.path}: {len(known)} networks have accuracies in {name} and {test}, expected at least 2"
            )
        places = np.array([row for row, _ in known])
        return AccuracyTable(
            path=self.path,
            column=name,
            test_column=test,
            candidates=tuple(one for _, one in known),
            validation=validation[places],
            test=tested[places],
        )

    def _names(self, column: str | None, test_column: str | None) -> tuple[str, str]:
        """Both columns; without a `test_column`, the one named like `column` with ``test`` for ``val``, or `column` itself."""
        if column is None:
            raise UsageError(
                f"{self.path}: say which column guides the search, --column NAME; the columns are {some(self.columns)}"
            )
        found = VALIDATION.sub("test", column, count=1) if test_column is None else test_column
        if test_column is None and found not in self.columns:
            found = column
        for name in (column, found):
            if name not in self.columns:
                near = get_close_matches(name[:LONGEST_NAME], list(self.columns)[:MOST_COMPARED], n=1, cutoff=0)
                raise UsageError(
                    f"unknown column of {self.path.name} {short(name)}; did you mean {near[0]!r}? Known: {some(self.columns)}"
                )
        return column, found

    def _shares(self, column: str) -> Floats:
        """The accuracies of a column as shares, NaN where one is missing."""
        numbers = self._numbers(column)
        known = numbers[np.isfinite(numbers)]
        unit = 100.0 if len(known) and known.max() > 1 else 1.0
        if np.isinf(numbers).any() or (len(known) and not 0 <= known.min() <= known.max() <= unit):
            raise DataError(f"{self.path}: column {short(column)} holds no accuracies, which lie in [0, 1] or [0, 100]")
        return numbers / unit

    def _numbers(self, column: str) -> Floats:
        values = self.columns[column]
        if isinstance(values, np.ndarray):
            if values.ndim != 1 or values.dtype.kind not in "iuf":
                raise DataError(f"{self.path}: array {short(column)} is no list of numbers")
            return values.astype(np.float64)
        numbers = np.full(len(values), np.nan)
        for row, text in enumerate(values):
            if text.lower() not in MISSING:
                try:
                    numbers[row] = float(text)
                except ValueError:
                    raise DataError(
                        f"{self.path}: column {short(column)}, line {self.lines[row]}: {short(text)} is not a number"
                    ) from None
        return numbers


def open_table(path: Path) -> OpenTable:
    """The columns of a file.

    Raises:
        DataError: a file that is missing, damaged, too large, or neither csv nor npz.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"{path}: a table is a file that ends in {', '.join(SUFFIXES)}")
    with opened(path) as file:
        digest = hashlib.sha256()
        while part := file.read(1 << 20):
            digest.update(part)
    if path.suffix.lower() == ".npz":
        arrays: dict[str, Sequence[Any]] = {name: array for name, array in read_npz(path).items() if array.ndim}  # type: ignore[misc]
        if not arrays:
            raise DataError(f"{path}: expected arrays with a row for each network, found none")
        return OpenTable(path=path, columns=arrays, lines=(), digest=digest.hexdigest())
    table = read_csv(path)
    return OpenTable(path=path, columns=table.columns, lines=table.lines, digest=digest.hexdigest())


def _signature(column: str) -> Signature:
    plain = re.sub(r"[^a-z0-9]", "", column.lower())
    return next((found for name, found in DATA_SETS.items() if name in plain), DATA_SETS["cifar10"])
