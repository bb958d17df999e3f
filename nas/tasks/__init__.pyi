from .registry import describe as describe
from .registry import load_task as load_task
from .task import Normalisation as Normalisation
from .task import Split as Split
from .task import Task as Task

__all__ = [
    "Normalisation",
    "Split",
    "Task",
    "describe",
    "load_task",
]
