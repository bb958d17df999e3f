"""Errors of the service. The command line turns them into one line and an exit code."""

import errno
from collections.abc import Mapping
from pathlib import Path

REMEDIES: Mapping[int, str] = {
    errno.ENOSPC: "free some space there and run the command again",
    errno.EDQUOT: "free some of your quota there and run the command again",
    errno.EROFS: "choose a place that can be written to",
    errno.EACCES: "choose a place that can be written to, or change its permissions",
    errno.EPERM: "choose a place that can be written to, or change its permissions",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "allow more open files (ulimit -n)",
}
"""Remedies for errors of the operating system, by error number."""


class NasError(Exception):
    """Base of every error raised by `nas`. `exit_code`: 2 for wrong use, 3 for unsupported input."""

    exit_code = 2


class UsageError(NasError, ValueError):
    """A flag, name or option that cannot be used; the message states what is allowed."""


class PluginError(NasError, RuntimeError):
    """A name that two packages offer, or a plug-in that cannot be imported or is of the wrong type; the message names the places."""


class DataError(NasError, ValueError):
    """A data file that is missing, damaged or unfit; the message states the place and what was expected."""


class ConstraintError(NasError, ValueError):
    """A constraint that cannot be parsed, or that no candidate of the space can meet."""


class RunError(NasError, ValueError):
    """A run folder that is missing, damaged or in use."""


class TrainingError(NasError, RuntimeError):
    """A training that cannot be done or that diverged; inside a search it becomes a failed trial."""

    exit_code = 3


class ExportError(NasError, RuntimeError):
    """An exported model whose results differ from the trained one."""

    exit_code = 3


class UnfitModelError(NasError, ValueError):
    """A network whose inputs or outputs do not fit the task; the message states which."""

    exit_code = 3


class UnsupportedModelError(NasError, ValueError):
    """An ONNX model that can be read but not trained; the message states why."""

    exit_code = 3


class UnsupportedModuleError(NasError, ValueError):
    """A PyTorch module that cannot become an ONNX graph; the message states why."""

    exit_code = 3


def write_failure(path: Path, error: OSError) -> RunError:
    """The error for a file that cannot be written: its path, the reason, the remedy."""
    remedy = REMEDIES.get(error.errno or 0)
    return RunError(f"cannot write {path}: {error.strerror or error}" + (f"; {remedy}" if remedy else ""))
