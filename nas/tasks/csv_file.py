"""Safe reading of a csv file with a header as columns of texts; a file that ends in ``.gz`` is unpacked, within a limit.

The delimiter is comma, semicolon or tab, whichever is most frequent in the header.
"""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import getsizeof
from typing import BinaryIO, TextIO

from nas.errors import DataError
from nas.input_file import opened
from nas.tasks.memory_limit import require_memory

MOST_OF_A_ROW = 1 << 24
"""Most characters in one row: a file without line ends must not be read into memory as one row."""
MOST_UNPACKED = 1 << 28
"""Most bytes of an unpacked file: a packed megabyte can hold a gigabyte of line ends."""
LONGEST_NAME = 1_000
"""Most characters of a column name or of a text that becomes a feature: both are written into every exported file."""
MOST_SHOWN = 20
"""Most column names in an error."""


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a csv file, column by column.

    Attributes:
        columns: texts by column name, one per row. `load_table_file` takes them out one by one to free their memory.
        lines: line of the file on which each row ends.
    """

    columns: dict[str, list[str]]
    lines: list[int]


class Rows:
    """The rows of a csv file as lists of texts; a row longer than `MOST_OF_A_ROW` is a `DataError`."""

    def __init__(self, path: Path, text: TextIO, delimiter: str) -> None:
        """Begin at the current position of `text`."""
        self._path, self._text = path, text
        self._length = 0
        self._reader = csv.reader(iter(self._next_line, ""), delimiter=delimiter, strict=True)

    def __iter__(self) -> "Rows":
        """This iterator itself."""
        return self

    def __next__(self) -> list[str]:
        """The next row."""
        self._length = 0
        return next(self._reader)

    @property
    def line(self) -> int:
        """The line on which the last row ended, from 1."""
        return self._reader.line_num

    def _next_line(self) -> str:
        line = self._text.readline(MOST_OF_A_ROW + 1)
        self._length += len(line)
        if self._length > MOST_OF_A_ROW:
            raise DataError(
                f"{self._path}: line {self._reader.line_num + 1} begins a row of more than {MOST_OF_A_ROW:,} characters"
            )
        return line


def read_csv(path: Path) -> Table:
    """All cells, without the blanks around them.

    Raises:
        DataError: a file that is missing, damaged or too large, or no csv file with a header.
    """
    try:
        with opened(path) as file:
            content = _unpacked(path, file) if path.suffix.lower() == ".gz" else file
            text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
            delimiter = max(",;\t", key=text.readline(MOST_OF_A_ROW).count)
            text.seek(0)
            rows = Rows(path, text, delimiter)
            header = [column.strip() for column in next(rows, [])]
            _check_header(path, header)
            return _cells(path, header, rows)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file in UTF-8 (byte {error.start}: {error.reason})") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a csv file: {error}") from None


def _unpacked(path: Path, file: BinaryIO) -> BinaryIO:
    try:
        content = gzip.GzipFile(fileobj=file).read(MOST_UNPACKED + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a sound gz file ({error})") from error
    if len(content) > MOST_UNPACKED:
        raise DataError(f"{path}: more than {MOST_UNPACKED:,} bytes when unpacked; expected fewer")
    return io.BytesIO(content)


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not header:
        raise DataError(f"{path}: expected a header and rows, found an empty file")
    counts = Counter(header)
    repeated = next((column for column in header if counts[column] > 1 or not column), None)
    if repeated is not None:
        raise DataError(
            f"{path}: the column name {short(repeated)} is {'there twice' if repeated else 'empty'}; each column needs its own"
        )
    longest = max(header, key=len)
    if len(longest) > LONGEST_NAME:
        raise DataError(
            f"{path}: the column name {short(longest)} has {len(longest):,} characters, expected at most {LONGEST_NAME:,}"
        )


def _cells(path: Path, header: Sequence[str], rows: Rows) -> Table:
    columns: list[list[str]] = [[] for _ in header]
    lines: list[int] = []
    memory = checked = 0
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(f"{path}: line {rows.line} has {len(row)} values, expected {len(header)} as in the header")
        cells = [cell.strip() for cell in row]
        memory += sum(map(getsizeof, cells)) + 8 * len(cells)
        if memory > checked + (1 << 24):
            require_memory(f"{path}: the table up to line {rows.line:,}", memory)
            checked = memory
        for column, cell in zip(columns, cells, strict=True):
            column.append(cell)
        lines.append(rows.line)
    if not lines:
        raise DataError(f"{path}: expected a header and rows, found a header only")
    return Table(dict(zip(header, columns, strict=True)), lines)


def some(columns: Mapping[str, object]) -> str:
    """The names of the columns, not more than `MOST_SHOWN` of them, for an error."""
    more = len(columns) - MOST_SHOWN
    return ", ".join(list(columns)[:MOST_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def short(text: str) -> str:
    """A text of the file, quoted and cut, for an error."""
    return repr(text) if len(text) <= 80 else f"{text[:80]!r}…"
