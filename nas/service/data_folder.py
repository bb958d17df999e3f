"""The data folder of the service: every path that the service reads or writes is made here, from names that are checked."""

import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

SHA256 = re.compile(r"[0-9a-f]{64}")
SEARCH_ID = re.compile(r"[0-9a-f]{22}")
ARTIFACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9]+)*")
RESERVE = 64 << 20
"""Bytes of the file system that uploads leave free, so that running searches can still write. With less, no search begins."""
PATHS = re.compile(r"[/\\]")
DATASET_KINDS = ("csv", "npz")


@dataclass(frozen=True)
class DataFolder:
    """Paths below the data folder. Every method raises `ValueError` for a name that does not have the expected form."""

    path: Path

    def create(self) -> None:
        """Make the folders; `OSError` if that is not possible. Other users of the machine cannot read them."""
        self.path.mkdir(parents=True, exist_ok=True)
        for folder in (self.runs, self.inputs, self.models, self.datasets, self.uploads, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)

    @property
    def runs(self) -> Path:
        """Folder of the run folders."""
        return self.path / "runs"

    @property
    def inputs(self) -> Path:
        """Folder of the uploads of each search, under the names that their users gave them."""
        return self.path / "inputs"

    @property
    def models(self) -> Path:
        """Folder of the uploaded ONNX files."""
        return self.path / "models"

    @property
    def datasets(self) -> Path:
        """Folder of the uploaded data sets."""
        return self.path / "datasets"

    @property
    def uploads(self) -> Path:
        """Folder of uploads that are not finished."""
        return self.path / "uploads"

    @property
    def logs(self) -> Path:
        """Folder of what the processes of searches print."""
        return self.path / "logs"

    def run(self, search: str) -> Path:
        """The run folder of a search."""
        return self.runs / _matching(SEARCH_ID, search)

    def input(self, search: str) -> Path:
        """Working folder of a search, with links to its uploads."""
        return self.inputs / _matching(SEARCH_ID, search)

    def log(self, search: str) -> Path:
        """What the processes of a search printed."""
        return self.logs / f"{_matching(SEARCH_ID, search)}.log"

    def model(self, sha256: str) -> Path:
        """An uploaded ONNX file."""
        return self.models / f"{_matching(SHA256, sha256)}.onnx"

    def dataset(self, sha256: str, kind: str) -> Path:
        """An uploaded data set; `kind` is ``csv`` or ``npz``."""
        if kind not in DATASET_KINDS:
            raise ValueError(f"a data set is csv or npz, got {kind!r}")
        return self.datasets / f"{_matching(SHA256, sha256)}.{kind}"

    def upload(self, kind: str, sha256: str) -> Path:
        """An uploaded file; `kind` is ``model``, ``csv`` or ``npz``."""
        return self.model(sha256) if kind == "model" else self.dataset(sha256, kind)

    def artifact(self, search: str, name: str) -> Path:
        """A file directly in the run folder of a search."""
        return self.run(search) / _matching(ARTIFACT, name)

    def free(self) -> int:
        """Free bytes of the file system."""
        return shutil.disk_usage(self.path).free

    def fault(self) -> str:
        """Why no work can begin: the disk is full, or a folder cannot be written; empty if it can."""
        try:
            if self.free() < RESERVE:
                return "the disk of the data folder is full"
            for folder in (self.uploads, self.runs, self.inputs, self.logs):
                probe = folder / f".probe-{token_hex(8)}"
                os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                probe.unlink()
        except OSError as error:
            return f"the data folder cannot be written: {error.strerror}"
        return ""


LONGEST_STEM = 80
"""Most bytes of the name of a file without its suffix; file systems allow 255 for both."""


def plain_name(name: str, kind: str, sha256: str) -> str:
    """The name under which a search sees an upload: the user's name without folders and without signs of a shell."""
    suffix = ".onnx" if kind == "model" else f".{kind}"
    stem = PATHS.split(name)[-1]
    stem = stem[: -len(suffix)] if stem.lower().endswith(suffix) else stem
    stem = re.sub(r"[^\w.-]+", "_", stem).strip("._-").encode(errors="ignore")[:LONGEST_STEM].decode(errors="ignore")
    return f"{stem or sha256[:12]}{suffix}"


def opened(path: Path) -> BinaryIO:
    """The regular file at `path`, open for reading; `FileNotFoundError` for anything else. Symbolic links are not followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise FileNotFoundError(path.name) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path.name)
    return os.fdopen(descriptor, "rb")


def _matching(pattern: re.Pattern[str], name: str) -> str:
    if pattern.fullmatch(name) is None:
        raise ValueError(f"not a valid name: {name[:80]!r}")
    return name
