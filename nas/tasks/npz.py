"""Safe reading of npz files: no pickled objects, and no array larger than the memory that data may take.

The header of each array is checked before any of its data is read: a file of a few bytes can claim terabytes, and a packed file
of a megabyte can hold a gigabyte of zeros.
"""

import os
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError, NasError
from nas.input_file import opened
from nas.tasks.memory_limit import bytes_in_memory, require_memory

MOST_MEMBERS = 1000
"""Most files in an archive; the header of each one must be read."""

MOST_RATIO = 1100
"""Most bytes that one packed byte can become; deflate reaches 1,032."""

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
    TypeError,
    OverflowError,
    tokenize.TokenError,
    MemoryError,
)


def read_npz(path: Path, names: frozenset[str] | None = None) -> dict[str, NDArray[np.generic]]:
    """All arrays, or only those with the given lower-case names; arrays of numbers, bools or texts.

    Raises:
        DataError: a file that is missing, damaged, not npz, has arrays of objects or records, or needs too much memory.
    """
    with opened(path) as file:
        if not zipfile.is_zipfile(file):
            file.seek(0)
            raise DataError(f"{path}: not an npz file (numpy.savez writes one); its first bytes are {file.read(16)!r}")
        try:
            return _read_archive(path, file, names)
        except NasError:
            raise
        except DAMAGED as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise DataError(f"{path}: damaged npz file ({reason}); write it again with numpy.savez") from error


def _read_archive(path: Path, file: BinaryIO, names: frozenset[str] | None) -> dict[str, NDArray[np.generic]]:
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if len(members) > MOST_MEMBERS:
            raise DataError(f"{path}: {len(members):,} arrays, expected at most {MOST_MEMBERS:,}")
        wanted = [member for member in members if names is None or _name(member) in names]
        _refuse_impossible(path, file, wanted)
        _refuse_large(path, archive, wanted)
        return {_name(member): _read(path, archive, member) for member in wanted}


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy").lower()


def _refuse_impossible(path: Path, file: BinaryIO, members: list[zipfile.ZipInfo]) -> None:
    """Refuse sizes in the archive's directory that the bytes of the file cannot hold; also refuse overlapping members."""
    for member in members:
        packed = member.compress_type == zipfile.ZIP_DEFLATED
        if (
            not packed and member.compress_type != zipfile.ZIP_STORED
        ):  # an LZMA stream itself decides how much memory unpacking takes
            raise DataError(f"{path}: array {_name(member)!r} is packed by another method than numpy's; write it again")
        if member.file_size > member.compress_size * (MOST_RATIO if packed else 1):
            raise DataError(
                f"{path}: array {_name(member)!r} is damaged: {member.compress_size:,} bytes cannot hold {member.file_size:,}"
            )
    stated, there = sum(member.compress_size for member in members), os.fstat(file.fileno()).st_size
    if stated > there:
        raise DataError(f"{path}: damaged npz file: its arrays take {stated:,} bytes of {there:,}")


def _refuse_large(path: Path, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> None:
    """Add up what the headers claim, before anything is read."""
    total = 0
    for member in members:
        with archive.open(member) as file:
            shape, dtype = _header(path, member, file)
        total += bytes_in_memory(shape, dtype)
        require_memory(f"{path}: array {_name(member)!r} of shape {shape} and type {dtype}", total)


def _header(path: Path, member: zipfile.ZipInfo, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # later versions are for records with many fields, and their headers may claim gigabytes
        raise DataError(f"{path}: array {_name(member)!r} is in npy format {version[0]}.{version[1]}, expected 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in "biufcUSM":
        what = "Python objects (they are never loaded)" if dtype.hasobject else f"{dtype}"
        raise DataError(f"{path}: array {_name(member)!r} holds {what}; expected numbers or texts")
    if any(size < 0 for size in shape):
        raise DataError(f"{path}: array {_name(member)!r} is damaged: its shape is {shape}")
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
