"""Errors of the service. The command line turns them into one line and an exit code."""


class NasError(Exception):
    """Base of every error raised by `nas`. `exit_code`: 2 asked wrongly, 3 input not supported."""

    exit_code = 2


class UsageError(NasError, ValueError):
    """A flag, name or option that cannot be used; the message says what would be right."""


class DataError(NasError, ValueError):
    """A data file that is missing, damaged or unfit; the message says what was expected where."""


class ConstraintError(NasError, ValueError):
    """A constraint that cannot be read, or that no candidate of the space can meet."""


class RunError(NasError, ValueError):
    """A run folder that is missing, damaged or in use."""


class TrainingError(NasError, RuntimeError):
    """A training that cannot be done or that diverged; inside a search it becomes a failed trial."""

    exit_code = 3


class ExportError(NasError, RuntimeError):
    """An exported model that does not compute what the trained one does."""

    exit_code = 3


class UnfitModelError(NasError, ValueError):
    """A network whose inputs or outputs are not those of the task; the message says which."""

    exit_code = 3


class UnsupportedModuleError(NasError, ValueError):
    """A PyTorch module that cannot become an ONNX graph; the message says why."""

    exit_code = 3
