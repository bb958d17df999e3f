"""Starts a child process, with an environment that holds no secrets of the service."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

PASSED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PYTHONPATH",
    "NAS_DATA_DIR",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
)
PASSED_PREFIXES = ("CUDA_", "TORCH_")


def environment() -> dict[str, str]:
    """What a child inherits: never the address of the database, and never a token.

    One thread for OpenBLAS, as on the command line, so that a search gives the same bits on every machine.
    """
    kept = {name: value for name, value in os.environ.items() if name in PASSED or name.startswith(PASSED_PREFIXES)}
    ours = str(Path(__file__).parents[3])  # the same package as here, wherever the child's working folder is
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [ours, kept.get("PYTHONPATH")]))
    return kept | {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def launch(module: str, folder: Path, errors: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """Start ``python -m module`` with pipes for stdin and stdout.

    Args:
        module: module of this package.
        folder: working folder of the child.
        errors: file for stderr; None means that of this process.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=folder,
        env=environment(),
        start_new_session=True,  # Ctrl-C in a terminal is for the server, which then ends its children itself
    )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a child at once. A search that is killed at any moment can go on later."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
