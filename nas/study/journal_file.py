"""An Optuna journal whose lines carry checksums.

A line is ``{…,"checksum":"0123456789abcdef"}``: the key comes last. Its value is the beginning of the SHA-256 of
everything before it in the file, so a changed, lost or moved line is noticed. Optuna and its dashboard ignore the key.

Two kinds of lines may lack it: lines of an earlier version of this package, which come first, and attributes of the study
that a dashboard stores, such as notes, which no search reads. The next line with a checksum covers both kinds.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from nas.errors import RunError, write_failure
from nas.input_file import opened

MOST_BYTES = 256 << 20
"""Largest size of a journal, about 100,000 trials."""

DIGITS = 16
SUFFIX = re.compile(rb',"checksum":"([0-9a-f]{%d})"\}' % DIGITS)
SUFFIX_LENGTH = len(b',"checksum":""}') + DIGITS

CREATE_TRIAL, STUDY_SYSTEM_ATTRIBUTE = 4, 3
"""Numbers of Optuna's operations."""


@dataclass(frozen=True, eq=False)
class Checked:
    """Result of the check of an undamaged journal.

    Attributes:
        whole: number of bytes up to the end of the last complete line.
        length: number of bytes of the file; more than `whole` if the last line is torn.
        trials: line number of each trial, from 1.
    """

    whole: int
    length: int
    trials: tuple[int, ...]


def check(path: Path) -> Checked:
    """Read a journal and compare its checksums.

    Raises:
        RunError: a line was changed, lost or moved; or the path is not a file, or the file has more than `MOST_BYTES`.
    """
    with opened(path, error=RunError) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise RunError(f"{path}: {size:,} bytes, expected at most {MOST_BYTES:,}")
        return _Check(path).run(file)


class _Check:
    """One pass through a journal."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sum = hashlib.sha256()
        self._sealed = 0  # the last line whose checksum was right
        self._trials: list[int] = []

    def run(self, file: BinaryIO) -> Checked:
        whole = length = 0
        for number, line in enumerate(file, start=1):
            length += len(line)
            if line.endswith(b"\n"):
                self._line(number, line[:-1])
                whole = length
            elif SUFFIX.search(line):  # a torn line ends before its checksum does
                if not SUFFIX.fullmatch(line[-SUFFIX_LENGTH:]):
                    raise RunError(f"{self._path} is damaged in line {number}: its end of line is gone")
                self._line(number, line)
        return Checked(whole=whole, length=length, trials=tuple(self._trials))

    def _line(self, number: int, line: bytes) -> None:
        operation = self._operation(number, line)
        found = SUFFIX.fullmatch(line[-SUFFIX_LENGTH:])
        if found is not None:
            self._sum.update(line[:-SUFFIX_LENGTH])
            if self._sum.hexdigest()[:DIGITS] != found[1].decode():
                raise RunError(self._changed(number))
            self._sum.update(line[-SUFFIX_LENGTH:] + b"\n")
            self._sealed = number
        else:
            if self._sealed and operation != STUDY_SYSTEM_ATTRIBUTE:
                raise RunError(f"{self._path} is damaged in line {number}: its checksum is missing")
            self._sum.update(line + b"\n")
        if operation == CREATE_TRIAL:
            self._trials.append(number)

    def _operation(self, number: int, line: bytes) -> object:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise RunError(f"{self._path} is damaged in line {number}: {line[:60].decode(errors='replace')!r}")
        return record.get("op_code")

    def _changed(self, number: int) -> str:
        first = self._sealed + 1
        where = f"in line {number}" if first == number else f"in one of the lines {first} to {number}"
        rest = (
            f", or keep its first {self._sealed} lines and `nas resume` trains the rest again" if self._sealed else ""
        )
        return f"{self._path} is damaged {where}: it is not what was written (wrong checksum). Restore the file{rest}"


def repair(path: Path, checked: Checked) -> None:
    """Remove a torn last line, which a kill or a full disk leaves; the caller keeps other writers out.

    A complete last line without an end of line gets one.
    """
    if checked.length == checked.whole:
        return
    with path.open("r+b") as file:
        file.seek(checked.whole)
        if SUFFIX.fullmatch(file.read()[-SUFFIX_LENGTH:]):
            file.write(b"\n")
        else:
            file.truncate(checked.whole)
        file.flush()
        os.fsync(file.fileno())


class ChecksumBackend(JournalFileBackend):
    """Optuna's journal file, with a checksum on every appended line."""

    def __init__(self, path: Path) -> None:
        """Write to the journal at `path`, which is created if it does not exist."""
        self._path = path
        self._writers = JournalFileSymlinkLock(str(path))
        self._sum, self._read = hashlib.sha256(), 0
        super().__init__(str(path), lock_obj=self._writers)

    def append_logs(self, logs: Sequence[Mapping[str, Any]]) -> None:  # type: ignore[override]
        """Append records; they are on disk when this returns. `RunError` if they cannot be written."""
        try:
            self._writers.acquire()
            try:
                self._append([json.dumps(log, separators=(",", ":")).encode()[:-1] for log in logs])
            finally:
                self._writers.release()
        except OSError as error:
            raise write_failure(self._path, error) from error

    def _append(self, bodies: Sequence[bytes]) -> None:
        """Appends lines; a failed write, for example on a full disk, leaves the file unchanged."""
        with self._path.open("r+b", buffering=0) as file:
            file.seek(self._read)
            while block := file.read(1 << 20):  # lines that a dashboard may have written since then
                self._sum.update(block)
                self._read += len(block)
            sum_, content = self._sum.copy(), b""
            for body in bodies:
                sum_.update(body)
                end = b',"checksum":"%s"}\n' % sum_.hexdigest()[:DIGITS].encode()
                sum_.update(end)
                content += body + end
            try:
                written = 0
                while written < len(content):
                    written += file.write(content[written:])
                os.fsync(file.fileno())
            except OSError:
                file.truncate(self._read)
                raise
        self._sum, self._read = sum_, self._read + len(content)
