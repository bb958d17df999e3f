"""The task of a prediction on the command line: a name, or a JSON file with a description."""

from pathlib import Path
from typing import Any

from nas.errors import UsageError
from nas.input_file import read_json

MOST_BYTES = 1 << 20
"""Largest size of a task description file in bytes; five numbers take 100."""


def read_task(text: str | None) -> str | dict[str, Any] | None:
    """A name unchanged, the object in a ``.json`` file, or None for None; `UsageError` if the file does not hold an object."""
    if text is None or not text.endswith(".json"):
        return text
    found = read_json(Path(text), most=MOST_BYTES, error=UsageError)
    if not isinstance(found, dict):
        raise UsageError(f"{text} holds no object: `nas predictor describe` prints one")
    return found
