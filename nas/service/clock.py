"""Times that the service stores and shows: milliseconds since 1970 (UTC), and ISO 8601 texts.

They order things and are shown to people. No lease and no lock depends on them, because a clock can be set.
"""

import time
from datetime import UTC, datetime


def now() -> int:
    """The time in milliseconds."""
    return time.time_ns() // 1_000_000


def iso(milliseconds: int | None) -> str | None:
    """A time as ISO 8601 text in UTC, such as ``2026-05-01T12:00:00.000Z``."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
