"""The child's side: it reads and writes lines of JSON, limits its memory, and ends when its parent does."""

import contextlib
import errno
import gc
import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from nas.process_memory import out_of_memory

UPLOADED = re.compile(r"[^\s'\"]*/?(?:uploads|models|datasets)/[0-9a-f]+\.(?:onnx|csv|npz)")
YOUNG = 10_000
"""Number of new objects before a garbage collection, as on the command line."""
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
ORPHANED = 75
"""Exit code of a child whose parent has ended."""


class Channel:
    """The lines to the parent. What libraries print goes to stderr instead."""

    def __init__(self) -> None:
        """Takes over stdin and stdout of this process."""
        start_folder()
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        self.input: BinaryIO = os.fdopen(os.dup(0), "rb")
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._lock = threading.Lock()
        gc.set_threshold(YOUNG, *gc.get_threshold()[1:])

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one line; the process ends if nobody reads."""
        line = json.dumps(message, allow_nan=False).encode() + b"\n"
        try:
            with self._lock:
                self._out.write(line)
        except OSError:
            os._exit(ORPHANED)

    def receive(self) -> dict[str, Any]:
        """Read one line; the process ends if the parent has ended."""
        line = self.input.readline()
        if not line:
            os._exit(ORPHANED)
        message: dict[str, Any] = json.loads(line)
        return message

    def end_with_parent(self) -> None:
        """From now on, end this process as soon as the parent closes its side. Nothing more is received."""
        threading.Thread(target=self.receive_end, daemon=True).start()

    def receive_end(self) -> None:
        """Wait for the end of the input."""
        while self.input.readline():
            pass
        os._exit(ORPHANED)


@cache
def start_folder() -> Path:
    """The working folder in which this process was started: the data folder of the service."""
    return Path.cwd()


def without_paths(text: str) -> str:
    """The text of an error without the paths of this server, which are nobody's business."""
    text = UPLOADED.sub("the file", text)
    places = {str(start_folder()): "the data folder", os.environ.get("NAS_DATA_DIR", "").rstrip("/"): "NAS_DATA_DIR"}
    for place, name in places.items():
        text = text.replace(place, name) if len(place) > 1 else text
    return text


def log_traceback() -> None:
    """Print the traceback of the present error to stderr; nothing if the disk of that log is full."""
    with contextlib.suppress(OSError):
        traceback.print_exc()


def disk_fault(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, says that the disk is full or read-only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_FAULTS:
            return True
        error = error.__cause__ or error.__context__
    return False


def described(error: BaseException) -> dict[str, Any]:
    """An error as JSON: its kind and one line.

    The kind is ``usage`` (asked wrongly), ``unsupported`` (a file that cannot be used), ``memory``, ``disk`` (full or read-only),
    ``machine`` (another fault of a file), ``run`` (a run that gave nothing, or is damaged), ``busy`` (another process has the run) or
    ``bug``.
    """
    from nas.errors import NasError, RunError

    text = without_paths(" ".join((str(error) or type(error).__name__).split())[:2000])
    package = type(error).__module__.partition(".")[0]
    if out_of_memory(error):
        return {"kind": "memory", "detail": "the work needs more memory than is allowed"}
    if disk_fault(error):
        return {"kind": "disk", "detail": text}
    if isinstance(error, RunError):
        return {"kind": "busy" if "in use by another process" in text else "run", "detail": text}
    if isinstance(error, NasError):
        return {"kind": "usage" if error.exit_code == 2 else "unsupported", "detail": text}
    if package in ("search_spaces", "predictors"):
        return {"kind": "usage", "detail": text}
    if package == "onnx_graph":
        return {"kind": "unsupported", "detail": text}
    if isinstance(error, OSError):
        return {"kind": "machine", "detail": error.strerror or text}
    with contextlib.suppress(OSError):
        print(f"{type(error).__name__}: {text}", file=sys.stderr)  # noqa: T201  the log of this process
    return {"kind": "bug", "detail": f"unexpected error {type(error).__name__}; the log of the service has the details"}
