"""Tasks: data split into train, validation and test, from the tables built in or from the user's own files."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.tasks.registry import describe, load_task
    from nas.tasks.task import Normalisation, Split, Task

__all__ = ["Normalisation", "Split", "Task", "describe", "load_task"]


def __getattr__(name: str) -> object:
    """Load what is asked for, no sooner."""
    from importlib import import_module

    if name in ("describe", "load_task"):
        return getattr(import_module("nas.tasks.registry"), name)
    if name in __all__:
        return getattr(import_module("nas.tasks.task"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
