"""Structured logs: one JSON object a line on stderr."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """Formats a record as JSON: time, level, logger, text, and the facts of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info is not None:
            line["trace"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line)


def configure(*, verbose: bool) -> None:
    """Log as JSON to stderr: requests and searches, and details with `verbose`. For a process of ours only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for noisy in ("asyncio", "multipart", "python_multipart", "sqlalchemy.engine", "alembic", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
