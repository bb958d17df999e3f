"""The description of a domain's task, in a file beside the shards: the relevance of its inputs needs more room than all else."""

import json
from pathlib import Path

from nas.errors import DataError
from nas.input_file import opened, parse_json
from nas.study.run_folder import write_bytes
from nas.tasks.description import describe
from nas.tasks.task import Task
from predictors import InvalidTaskError, TaskDescription

MOST_BYTES = 16 << 20


def description_file(folder: Path, domain: str) -> Path:
    """Path of the description."""
    return folder / domain / "task.json"


def write_description(path: Path, task: Task) -> None:
    """Describe a task and write it durably."""
    text = json.dumps(describe(task).to_json(), separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.encode() + b"\n")


def read_description(path: Path) -> TaskDescription | None:
    """The description in a file; None if there is no file, `DataError` if it is damaged."""
    if not path.exists():
        return None
    with opened(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DataError(f"{path} has more than {MOST_BYTES:,} bytes, which is no description of a task")
    try:
        return TaskDescription.from_json(parse_json(content, str(path)))
    except InvalidTaskError as error:
        raise DataError(f"{path} is damaged: {error}") from error
