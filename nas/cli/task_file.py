"""What a predictor is told of a task on the command line: a name, or a JSON file with a description."""

import json
from pathlib import Path
from typing import Any

from nas.errors import UsageError


def read_task(text: str | None) -> Any:
    """The name as it is, the content of a ``.json`` file, None for None; `UsageError` where the file cannot be read."""
    if text is None or not text.endswith(".json"):
        return text
    try:
        return json.loads(Path(text).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {text}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{text} is not JSON: {error}") from error
