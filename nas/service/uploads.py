"""Receives a file in parts: counted, hashed, written under a temporary name, and renamed to its hash when it is whole."""

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from starlette.concurrency import run_in_threadpool

from nas.service.data_folder import RESERVE, DataFolder
from nas.service.problems import Problem, too_many, unprocessable


@dataclass(frozen=True, kw_only=True)
class Received:
    """A whole file under a temporary name, its SHA-256 and its size in bytes."""

    path: Path
    sha256: str
    bytes: int

    def keep(self, target: Path) -> None:
        """Move the file to its place, durably."""
        os.replace(self.path, target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def drop(self) -> None:
        """Remove the file if it was not kept."""
        self.path.unlink(missing_ok=True)


async def receive(parts: AsyncIterator[bytes], folder: DataFolder, *, suffix: str, most: int, left: int) -> Received:
    """Write the parts of a body to a file.

    Args:
        parts: the body.
        folder: the data folder.
        suffix: end of the temporary name, such as ``.onnx``.
        most: largest allowed size in bytes.
        left: bytes that the owner may still store.

    Raises:
        Problem: 413 for a body that is too large, 422 for an empty one, 429 if the owner's quota is used up, 507 if the disk is full.
    """
    path = folder.uploads / f"{token_hex(12)}{suffix}"
    digest, size = hashlib.sha256(), 0
    file = await run_in_threadpool(path.open, "xb")
    try:
        with file:
            async for part in parts:
                size += len(part)
                if size > most:
                    raise Problem(413, "too-large", f"the file is larger than {most:,} bytes")
                if size > left:
                    raise too_many(
                        "quota-bytes", f"your uploads may take {left:,} bytes more; ask for a larger quota", 3600
                    )
                if folder.free() < RESERVE:
                    raise Problem(507, "disk-full", "the disk of the service is full")
                digest.update(part)
                await run_in_threadpool(file.write, part)
            await run_in_threadpool(_flush, file.fileno(), file.flush)
        if size == 0:
            raise unprocessable("the body is empty; send the content of the file")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Received(path=path, sha256=digest.hexdigest(), bytes=size)


def _flush(descriptor: int, flush: object) -> None:
    if callable(flush):
        flush()
    os.fsync(descriptor)
