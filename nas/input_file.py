"""Safe reading of files that a user names: only regular files, and limits on size and nesting.

A foreign file must never be read forever (devices, pipes), fill the memory, or raise an unexpected error.
"""

import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from nas.errors import DataError, NasError

MOST_JSON = 64 << 20
"""Largest size of a JSON file in bytes; its parsed values can take 25 times as much memory."""

MOST_TOML = 128 << 10
"""Largest size of a TOML file in bytes; the time of the parser can grow with the square of it."""

DEEPEST = 64
"""Largest nesting depth of lists and tables."""


SUSPECT = re.compile(rb"\\u[dD]|[eE]\+?\d{3}|\d{20}")
"""JSON text that can become a text or number that `_require_plain` refuses; without a match only the depth can be wrong."""


@contextmanager
def opened(path: Path, *, error: type[NasError] = DataError) -> Iterator[BinaryIO]:
    """The file, open for reading bytes.

    Args:
        path: path of the file.
        error: class of the error to raise.

    Raises:
        NasError: `error`, if the file does not exist, cannot be opened or read, or is a folder, a pipe or a device.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _require_regular(path, os.fstat(file.fileno()).st_mode, error)
            yield file
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except IsADirectoryError:
        raise error(f"{path}: is a folder, not a file") from None
    except OSError as reason:
        raise error(f"{path}: cannot be read ({reason.strerror or reason})") from reason
    except ValueError as reason:
        if isinstance(reason, NasError) or "null byte" not in str(reason):
            raise
        raise error(f"{str(path)!r}: no such file (its name holds a zero byte)") from None


def read_bytes(path: Path, most: int, *, error: type[NasError] = DataError) -> bytes:
    """The whole content of a file; `error` as in `opened`, and for a file that is larger than the limit."""
    with opened(path, error=error) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(min(max(size, 1 << 16), most) + 1)
    if max(size, len(content)) > most:
        raise error(f"{path}: {max(size, len(content)):,} bytes, expected at most {most:,}")
    return content


def read_json(path: Path, *, most: int = MOST_JSON, error: type[NasError] = DataError) -> Any:
    """The JSON value in a file; `error` if it is not JSON, is nested too deep, or holds numbers or texts that cannot be written again."""
    return parse_json(read_bytes(path, most, error=error), str(path), error=error)


def parse_json(content: bytes, place: str, *, error: type[NasError] = DataError) -> Any:
    """Like `read_json`, for bytes; `place` states their origin in errors."""
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise error(f"{place}: nested too deep to be read") from None
    except ValueError as reason:  # not UTF-8, not JSON, a number of thousands of digits
        raise error(f"{place}: not JSON ({reason})") from reason
    if SUSPECT.search(content) or content.count(b"[") + content.count(b"{") > DEEPEST:
        _require_plain(value, place, error, finite=True)
    return value


def read_toml(path: Path, *, error: type[NasError] = DataError) -> dict[str, Any]:
    """The tables in a TOML file; errors as in `read_json`. TOML has infinite numbers, which are allowed."""
    content = read_bytes(path, MOST_TOML, error=error)
    try:
        value = tomllib.loads(content.decode("utf-8"))
    except RecursionError:
        raise error(f"{path}: nested too deep to be read") from None
    except ValueError as reason:
        raise error(f"{path} is not TOML: {reason}") from reason
    _require_plain(value, str(path), error)
    return value


def _require_regular(path: Path, mode: int, error: type[NasError]) -> None:
    if stat.S_ISDIR(mode):
        raise error(f"{path}: is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise error(f"{path}: is not a regular file but a device, a pipe or a socket")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _require_plain(value: Any, place: str, error: type[NasError], *, finite: bool = False) -> None:
    """Refuse values that would fail later: deep nesting, huge numbers, infinite ones if requested, texts that cannot be encoded."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        deeper: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                deeper += one.keys()
                deeper += one.values()
            elif isinstance(one, list):
                deeper += one
            elif finite and isinstance(one, float) and not math.isfinite(one):  # 1e999 becomes infinite
                raise error(f"{place}: holds a number that is not finite")
            elif isinstance(one, int) and abs(one) >= 1 << 64:
                raise error(f"{place}: holds a whole number of more than 64 bits")
            elif isinstance(one, str) and not _encodable(one):
                raise error(f"{place}: holds a text with half of a surrogate pair: {one[:40]!r}")
        if not deeper:
            return
        level = deeper
    raise error(f"{place}: nested deeper than {DEEPEST} levels")


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
