from .registry import TASKS as TASKS
from .registry import load_task as load_task
from .task import Normalisation as Normalisation
from .task import Split as Split
from .task import Task as Task

__all__ = [
    "Normalisation",
    "Split",
    "TASKS",
    "Task",
    "load_task",
]
