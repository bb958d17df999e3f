"""Limits requests per second, by token buckets: an owner may save up the requests of `SAVED` seconds."""

import time
from collections.abc import Callable

from nas.service.problems import too_many

SAVED = 5.0
MOST_OWNERS = 10_000


class Rate:
    """The buckets of all owners."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate`: requests per second."""
        self._rate, self._clock = rate, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, owner: str) -> None:
        """Count a request; `Problem` 429 if the owner has no request left."""
        at = self._clock()
        full = self._rate * SAVED
        level, last = self._buckets.get(owner, (full, at))
        level = min(full, level + (at - last) * self._rate)
        if level < 1:
            raise too_many(
                "too-fast", f"more than {self._rate:g} requests per second; slow down", (1 - level) / self._rate
            )
        if len(self._buckets) >= MOST_OWNERS:
            self._buckets.clear()
        self._buckets[owner] = level - 1, at
