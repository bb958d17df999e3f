"""What a predictor is told of a task on the command line: a name, or a JSON file with a description."""

import json
from pathlib import Path
from typing import Any

from nas.errors import UsageError


def read_task(text: str | None) -> str | dict[str, Any] | None:
    """The name as it is, the object in a ``.json`` file, None for None; `UsageError` where the file holds none."""
    if text is None or not text.endswith(".json"):
        return text
    try:
        found = json.loads(Path(text).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {text}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{text} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{text} holds no object: `nas predictor describe` prints one")
    return found
