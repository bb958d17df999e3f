"""Reader of IDX files of bytes, the format of MNIST: ``0 0 8 rank``, each dimension as big-endian uint32, the bytes.

The first bytes, not the name, decide whether a file is plain or gzip.
"""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError
from nas.input_file import opened
from nas.tasks.memory_limit import bytes_in_memory, require_memory


def read_idx(path: Path, rank: int) -> NDArray[np.uint8]:
    """The array of an IDX file, read only.

    Raises:
        DataError: a file that is missing, damaged or cut off, has another type or rank, is longer than its dimensions
            state, or needs more memory than `require_memory` allows.
    """
    with opened(path) as file:
        try:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                return _read(file, path, rank)
            with gzip.open(file) as unpacked:
                return _read(unpacked, path, rank)
        except (OSError, EOFError, zlib.error, MemoryError) as error:
            raise DataError(
                f"{path}: cannot be read to its end, the file is damaged or cut off ({error}); fetch it again"
            ) from error


def _read(file: "IO[bytes] | gzip.GzipFile", path: Path, rank: int) -> NDArray[np.uint8]:
    head = file.read(4 + 4 * rank)
    expected = bytes((0, 0, 8, rank))
    if head[:4] != expected:
        raise DataError(
            f"{path}: expected an IDX file beginning with {expected.hex(' ')}, found {head[:4].hex(' ') or 'nothing'}"
        )
    if len(head) < 4 + 4 * rank:
        raise DataError(f"{path}: cut off inside its header, {len(head)} of {4 + 4 * rank} bytes; fetch it again")
    shape = struct.unpack(f">{rank}I", head[4:])
    size = prod(shape)
    if not size:
        raise DataError(f"{path}: its header says {' × '.join(map(str, shape))}, which is empty")
    require_memory(f"{path}: {' × '.join(map(str, shape))} bytes", bytes_in_memory(shape, np.dtype(np.uint8)))
    data = file.read(size + 1)  # one byte more, to notice a longer file and to make gzip verify its checksum
    if len(data) != size:
        found = "more" if len(data) > size else str(len(data))
        raise DataError(
            f"{path}: expected {size} bytes for {' × '.join(map(str, shape))}, found {found}; fetch it again"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)
