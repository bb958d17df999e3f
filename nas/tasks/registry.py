"""Tasks by name: tasks of this package, of entry points ``nas.tasks``, and of the user's own files.

An entry point names a function ``load(data_dir) → Task``, where `data_dir` is a path or None. It may also take `subset` and
`seed`. The first line of its docstring is shown by ``nas list tasks``.
"""

import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.errors import DataError, NasError, PluginError, UsageError
from nas.tasks.task import Task
from onnx_graph import Builtin, Registry, nearest

TaskLoader = Callable[..., Task]


def _told_by_itself(place: str) -> Builtin:
    return Builtin(place, told_by=place)


def _fault(found: Any, name: str) -> str:
    if not callable(found):
        return "it must be a function load(data_dir) that returns a Task"
    needed = [parameter.name for parameter in _parameters(found).values() if parameter.default is parameter.empty]
    surplus = [name for name in needed if name not in ("data_dir", "subset", "seed")]
    if surplus:
        return (
            f"it must be a function of data_dir, and if it likes of subset and seed; it also needs {', '.join(surplus)}"
        )
    return ""


TASKS: Registry[TaskLoader] = Registry(
    "task",
    {
        "digits": _told_by_itself("nas.tasks.digits:digits"),
        "reber": _told_by_itself("nas.tasks.reber:reber"),
        "embedded-reber": _told_by_itself("nas.tasks.reber:embedded_reber"),
        "reber-strings": _told_by_itself("nas.tasks.reber:reber_strings"),
        "embedded-reber-strings": _told_by_itself("nas.tasks.reber:embedded_reber_strings"),
        "mnist": _told_by_itself("nas.tasks.mnist:mnist"),
        "fashion-mnist": _told_by_itself("nas.tasks.mnist:fashion_mnist"),
        "cifar10": _told_by_itself("nas.tasks.cifar:cifar10"),
    },
    "nas.tasks",
    fault=_fault,
    unknown=UsageError,
    broken=PluginError,
)
NEEDS: Mapping[str, str] = {
    "mnist": "IDX files in --data-dir",
    "fashion-mnist": "IDX files in --data-dir",
    "cifar10": "binary batches or an npz file in --data-dir",
}
OWN_FILES = (
    ("FILE.npz", "Your own arrays x and y, validation and test parts if you have them.", "the file"),
    ("FILE.csv", "Your own table, a column of classes.", "the file and --target COLUMN"),
)


def load_task(
    name_or_path: str,
    *,
    data_dir: Path | None = None,
    subset: int | None = None,
    target: str | None = None,
    seed: int = 0,
) -> Task:
    """The task of that name, or of a file that ends in .npz or .csv.

    Args:
        name_or_path: a name of `TASKS`, or a path.
        data_dir: folder of the data files; None means the environment variable NAS_DATA_DIR.
        subset: most rows for training and validation together, and most rows for test; stratified.
        target: the column of classes of a csv file.
        seed: seed of the division into parts and of generated data.

    Raises:
        UsageError: an unknown name, or an option that does not fit.
        DataError: a file that is missing, damaged or unfit.
    """
    if subset is not None and subset < 1:
        raise UsageError(f"subset must be a positive number of rows, got {subset}")
    if seed < 0:
        raise UsageError(f"seed must not be negative, got {seed}")
    suffix = Path(name_or_path).suffix.lower()
    if target is not None and suffix != ".csv":
        raise UsageError(f"target {target!r} names a column of a csv file; {name_or_path!r} is none")
    if name_or_path not in TASKS:
        return _load_file(name_or_path, suffix, target=target, subset=subset, seed=seed)
    if data_dir is None and os.environ.get("NAS_DATA_DIR"):
        data_dir = Path(os.environ["NAS_DATA_DIR"])
    loader = TASKS.load(name_or_path)
    if name_or_path in TASKS.builtins:
        return loader(data_dir=data_dir, subset=subset, seed=seed)
    return _load_plugin(name_or_path, loader, data_dir=data_dir, subset=subset, seed=seed)


def _load_plugin(name: str, loader: TaskLoader, *, data_dir: Path | None, subset: int | None, seed: int) -> Task:
    """The task of another package, given the arguments that its function takes, and checked."""
    from nas.tasks.preparation import fingerprint
    from nas.tasks.task_check import fault

    place = f"task {name!r} of {TASKS.origin(name)}"
    arguments: dict[str, Any] = {"data_dir": data_dir, "subset": subset, "seed": seed}
    parameters = _parameters(loader)
    for option, unset in (("subset", None), ("seed", 0)):
        if option not in parameters and arguments[option] != unset:
            raise UsageError(f"{place} takes no {option}; leave it out")
    try:
        task = loader(**{option: value for option, value in arguments.items() if option in parameters})
    except (NasError, OSError):
        raise
    except Exception as error:
        raise DataError(f"{place} cannot be loaded: {type(error).__name__}: {error}") from error
    wrong = fault(task)
    if wrong:
        raise PluginError(f"{place} is not sound: {wrong}")
    if task.fingerprint:
        return task
    return dataclasses.replace(task, fingerprint=fingerprint([task.train, task.validation, task.test], task.classes))


def _parameters(loader: TaskLoader) -> dict[str, inspect.Parameter]:
    """The named parameters of a loader; one with ``**options`` takes subset and seed too."""
    found = dict(inspect.signature(loader).parameters)
    kinds = {parameter.kind for parameter in found.values()}
    named = {
        name: parameter
        for name, parameter in found.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    if inspect.Parameter.VAR_KEYWORD in kinds:
        kind = inspect.Parameter.KEYWORD_ONLY
        for name in ("data_dir", "subset", "seed"):
            named.setdefault(name, inspect.Parameter(name, kind, default=None))
    return named


def _load_file(text: str, suffix: str, *, target: str | None, subset: int | None, seed: int) -> Task:
    path = Path(text)
    if suffix == ".npz":
        from nas.tasks.array_file import load_array_file

        return load_array_file(path, name=text, subset=subset, seed=seed)
    if suffix == ".csv":
        from nas.tasks.table_file import load_table_file

        return load_table_file(path, name=text, target=target, subset=subset, seed=seed)
    if path.exists() or len(path.parts) > 1:
        raise DataError(f"{text}: {'expected a .npz or .csv file' if path.exists() else 'no such file'}")
    known = nearest(text, TASKS)
    raise UsageError(
        f"unknown task {text!r}; did you mean {known[0]!r}? Known: {', '.join(known)}, or a .npz or .csv file"
    )
