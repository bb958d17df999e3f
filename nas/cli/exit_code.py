"""The exit code of a command that failed."""


def exit_code(error: Exception) -> int | None:
    """2 for wrong use, 3 for unsupported input, 1 for an error of the machine (disk, permission, memory); None for a bug of ours."""
    from nas.errors import NasError

    if isinstance(error, NasError):
        return error.exit_code
    kind = type(error).__module__.partition(".")[0]
    if kind == "onnx_graph":
        return 3
    if kind in ("search_spaces", "predictors"):
        return 2
    return 1 if isinstance(error, OSError | MemoryError) else None
