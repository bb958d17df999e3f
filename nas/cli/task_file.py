"""What a predictor is told of a task on the command line: a name, or a JSON file with a description."""

from pathlib import Path
from typing import Any

from nas.errors import UsageError
from nas.input_file import read_json

MOST_BYTES = 1 << 20
"""Bytes of a file that describes a task; five numbers take 100."""


def read_task(text: str | None) -> str | dict[str, Any] | None:
    """The name as it is, the object in a ``.json`` file, None for None; `UsageError` where the file holds none."""
    if text is None or not text.endswith(".json"):
        return text
    found = read_json(Path(text), most=MOST_BYTES, error=UsageError)
    if not isinstance(found, dict):
        raise UsageError(f"{text} holds no object: `nas predictor describe` prints one")
    return found
