"""Lines of JSON from a child, read with a time limit and a size limit."""

import json
import os
import select
import subprocess
import time
from typing import Any

LONGEST = 64 << 20
"""Largest size of a line in bytes."""


class Lines:
    """The lines that a child writes to its stdout."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Nothing is read yet."""
        if process.stdout is None:
            raise ValueError("the process was started without a pipe for its stdout")
        self._descriptor = process.stdout.fileno()
        self._buffer = bytearray()
        self._seen = 0
        self.ended = False

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next line; None if none arrives in time, or the child closed its side (then `ended` is true).

        Raises:
            ValueError: the line is not a JSON object, or is too long.
        """
        deadline = time.monotonic() + seconds
        while True:
            end = self._buffer.find(b"\n", self._seen)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._seen = 0
                return _object(line)
            self._seen = len(self._buffer)
            left = deadline - time.monotonic()
            if self.ended or not select.select([self._descriptor], [], [], max(left, 0))[0]:
                return None
            block = os.read(self._descriptor, 1 << 16)
            self.ended = not block
            self._buffer += block
            if len(self._buffer) > LONGEST:
                raise ValueError(f"a line of more than {LONGEST:,} bytes")


def _object(line: bytes) -> dict[str, Any]:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found
