"""The table of tasks, third parties' tasks from the entry points ``nas.tasks``, and the user's own files."""

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, cast

from nas.errors import DataError, UsageError
from nas.names import nearest
from nas.tasks.task import Task

TASKS: Mapping[str, str] = {
    "digits": "nas.tasks.digits:digits",
    "reber": "nas.tasks.reber:reber",
    "embedded-reber": "nas.tasks.reber:embedded_reber",
    "reber-strings": "nas.tasks.reber:reber_strings",
    "embedded-reber-strings": "nas.tasks.reber:embedded_reber_strings",
    "mnist": "nas.tasks.mnist:mnist",
    "fashion-mnist": "nas.tasks.mnist:fashion_mnist",
    "cifar10": "nas.tasks.cifar:cifar10",
}
NEEDS: Mapping[str, str] = {
    "mnist": "IDX files in --data-dir",
    "fashion-mnist": "IDX files in --data-dir",
    "cifar10": "binary batches or an npz file in --data-dir",
}
OWN_FILES = (
    ("FILE.npz", "Your own arrays x and y, validation and test parts if you have them.", "the file"),
    ("FILE.csv", "Your own table, a column of classes.", "the file and --target COLUMN"),
)


class TaskLoader(Protocol):
    """What the table and the entry points name. The docstring's first line is the description in `nas list tasks`."""

    def __call__(self, *, data_dir: Path | None, subset: int | None, seed: int) -> Task:
        """The task, its rows divided by `seed` and cut to `subset` (see `nas.tasks.split`)."""


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
        name_or_path: a name of `describe`, or a path.
        data_dir: folder of the data files; the environment variable NAS_DATA_DIR where None.
        subset: at most so many rows for training and validation together, and at most so many for test; stratified.
        target: the column of classes of a csv file.
        seed: of the division into parts and of generated data.

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
    third_parties = _third_parties()
    if name_or_path not in (*TASKS, *third_parties):
        return _load_file(name_or_path, suffix, [*TASKS, *third_parties], target=target, subset=subset, seed=seed)
    loader = _loader(name_or_path, third_parties)
    if data_dir is None and os.environ.get("NAS_DATA_DIR"):
        data_dir = Path(os.environ["NAS_DATA_DIR"])
    return loader(data_dir=data_dir, subset=subset, seed=seed)


def describe() -> list[tuple[str, str, str]]:
    """Name, description and what it needs of each task, then of the user's own files; for `nas list tasks`."""
    third_parties = _third_parties()
    rows = []
    for name in (*TASKS, *third_parties):
        lines = (_loader(name, third_parties).__doc__ or "").strip().splitlines()
        rows.append((name, lines[0] if lines else "", NEEDS.get(name, "")))
    return [*rows, *OWN_FILES]


def _third_parties() -> dict[str, EntryPoint]:
    """Entry points by name; a name of the table cannot be taken over."""
    return {entry.name: entry for entry in entry_points(group="nas.tasks") if entry.name not in TASKS}


def _loader(name: str, third_parties: Mapping[str, EntryPoint]) -> TaskLoader:
    if name in third_parties:
        return cast("TaskLoader", third_parties[name].load())
    module, function = TASKS[name].split(":")
    return cast("TaskLoader", getattr(import_module(module), function))


def _load_file(text: str, suffix: str, names: list[str], *, target: str | None, subset: int | None, seed: int) -> Task:
    path = Path(text)
    if suffix == ".npz":
        from nas.tasks.array_file import load_array_file

        return load_array_file(path, name=text, subset=subset, seed=seed)
    if suffix == ".csv":
        from nas.tasks.table_file import load_table_file

        return load_table_file(path, name=text, target=target, subset=subset, seed=seed)
    if path.exists() or len(path.parts) > 1:
        raise DataError(f"{text}: {'expected a .npz or .csv file' if path.exists() else 'no such file'}")
    known = nearest(text, names)
    raise UsageError(
        f"unknown task {text!r}; did you mean {known[0]!r}? Known: {', '.join(known)}, or a .npz or .csv file"
    )
