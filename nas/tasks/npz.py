"""Safe reading of npz files: no pickled objects, and no array larger than its header may claim.

The header of each array is read and checked before any of its data: a file of a few bytes can claim terabytes.
"""

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError

MAX_BYTES = 8 << 30
DAMAGED = (
    zipfile.BadZipFile,
    ValueError,
    EOFError,
    zlib.error,
    OSError,
    NotImplementedError,
    RuntimeError,
    KeyError,
    SyntaxError,
    tokenize.TokenError,
    MemoryError,
)


def read_npz(path: Path, names: frozenset[str] | None = None) -> dict[str, NDArray[np.generic]]:
    """All arrays, or those of the given names, in lower case, of numbers, bools or texts.

    Raises:
        DataError: missing, not an npz file, damaged, arrays of objects or records, or more than 8 GiB in all.
    """
    if not path.is_file():
        raise DataError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'no such file'}")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an npz file (numpy.savez writes one); its first bytes are {_first_bytes(path)!r}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            wanted = [m for m in members if names is None or _name(m) in names]
            _refuse_large(path, archive, wanted)
            return {_name(member): _read(path, archive, member) for member in wanted}
    except DataError:
        raise
    except DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: damaged npz file ({reason}); write it again with numpy.savez") from error


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy").lower()


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _refuse_large(path: Path, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> None:
    """Add up what the headers claim, before anything is read."""
    total = 0
    for member in members:
        with archive.open(member) as file:
            shape, dtype = _header(path, member, file)
        total += int(np.prod(shape, dtype=object)) * dtype.itemsize
        if total > MAX_BYTES:
            raise DataError(
                f"{path}: array {_name(member)!r} of shape {shape} claims {total} bytes, more than the {MAX_BYTES} allowed"
            )


def _header(path: Path, member: zipfile.ZipInfo, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # later versions are for records with many fields, and their headers may claim gigabytes
        raise DataError(f"{path}: array {_name(member)!r} is in npy format {version[0]}.{version[1]}, expected 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in "biufcUSM":
        what = "Python objects (they are never loaded)" if dtype.hasobject else f"{dtype}"
        raise DataError(f"{path}: array {_name(member)!r} holds {what}; expected numbers or texts")
    return shape, dtype


def _read(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[np.generic]:
    with archive.open(member) as file:
        shape, dtype = _header(path, member, file)
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        rest = member.file_size - file.tell()
    if rest != size:
        raise DataError(f"{path}: array {_name(member)!r} of shape {shape} needs {size} bytes, found {rest}")
    with archive.open(member) as file:
        array: NDArray[np.generic] = np.lib.format.read_array(file, allow_pickle=False)
        file.read(1)  # the archive compares its checksum at the end only
    return array
