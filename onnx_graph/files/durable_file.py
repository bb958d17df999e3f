"""Writing whole files durably: temporary name, flush to disk, rename; and removing the temporary files of killed writers.

A temporary file is called ``.NAME.PID-HOST-TOKEN.tmp``; the name tells which process writes it, so that others can check if it is alive.
"""

import os
import re
import secrets
import shutil
import socket
import zlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

LONGEST_NAME = 100
"""Number of characters of the target's name that are used in the temporary name: file systems allow 255 bytes in all."""

_TEMPORARY = re.compile(
    r"\.(?P<name>.+)\.(?P<pid>\d+)-(?P<host>[0-9a-f]{8})-[0-9a-f]{8}\.(?P<ending>tmp|new|old)", re.DOTALL
)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file. Readers see the old content or the new, never a part of it; a failed write leaves no file behind.

    Raises:
        OSError: it cannot be written; `filename` is `path`, whichever step failed.
    """
    _remove_stale_once(path.parent)
    temporary = temporary_path(path)
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        _discard(temporary)
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException:
        _discard(temporary)
        raise


def temporary_path(path: Path, ending: str = "tmp") -> Path:
    """A new name beside `path`, recognised by `is_temporary`."""
    unique = f"{os.getpid()}-{_host()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name[:LONGEST_NAME]}.{unique}.{ending}")


def is_temporary(name: str) -> bool:
    """Whether a file of that name is a temporary file."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_stale(folder: Path, *, locked: bool = False) -> None:
    """Remove temporary files (and folders) in `folder` that no living process writes.

    Args:
        folder: folder to clean; if it cannot be read, nothing happens.
        locked: whether the caller excludes all other writers. If so, files of other machines, whose processes cannot
            be checked, are removed as well.
    """
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            found = _TEMPORARY.fullmatch(entry.name)
            if found is None:
                continue
            here = found["host"] == _host()
            if (here and not _lives(int(found["pid"]))) or (locked and not here):
                _settle(Path(entry.path), folder / found["name"], found["ending"])


@lru_cache(maxsize=256)
def _remove_stale_once(folder: Path) -> None:
    """Clean a folder once per process: listing it at every write would take time quadratic in the number of files."""
    remove_stale(folder)


def _settle(left: Path, target: Path, ending: str) -> None:
    """Remove an abandoned file; but if it was moved aside and never replaced, move it back to its old name."""
    if ending == "old" and not target.exists():
        left.rename(target)
    else:
        _discard(left)


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _lives(pid: int) -> bool:
    """Whether a process of this machine has that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # a process of another user; a number that no process can have
        return True
    return True


def _discard(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
