"""Requests to a server, asked again where the network fails or the server is busy, and its events without gaps."""

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import connect_sse

from nas.client.errors import ServerError

ATTEMPTS = 6
"""So often is a request sent before the client gives up."""
PAUSE, LONGEST = 0.5, 20.0
"""Seconds before the second attempt, doubled for each further one, and most seconds."""
BUSY = (429, 502, 503, 504)
"""Answers after which the same request may succeed."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a search.

    Attributes:
        number: number of the event, from 1.
        kind: ``state``, ``stage``, ``progress`` or ``log``.
        data: what happened.
    """

    number: int
    kind: str
    data: dict[str, Any]


class Connection:
    """Speaks with one server."""

    def __init__(
        self,
        server: str,
        token: str | None,
        timeout: float,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is sent yet.

        Args:
            server: address such as ``http://127.0.0.1:8000``.
            token: token of the service; it is sent in the header ``Authorization`` only.
            timeout: seconds without an answer after which a request is sent again.
            transport: what carries the requests; None: the network.
            sleep: function that waits.
        """
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=server.rstrip("/"), headers=headers, timeout=timeout, transport=transport)
        self._sleep = sleep

    def json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The JSON object that answers a request; `ServerError` for a problem."""
        found: dict[str, Any] = self.send(method, path, **request).json()
        return found

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer, sent again where that is safe: a request with a body must be one that may arrive twice."""
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                response = self.http.request(method, path, **request)
            except httpx.TransportError as error:
                if last:
                    raise self._unreachable(error) from error
                self._wait(attempt)
                continue
            if response.status_code in BUSY and not last:
                self._wait(attempt, response.headers.get("retry-after"))
                continue
            return _good(response)
        raise AssertionError

    def events(self, path: str) -> Iterator[Event]:
        """All events until the stream has ended, each once. After a broken connection it goes on behind the last one."""
        last, failures = 0, 0
        while True:
            headers = {"last-event-id": str(last)} if last else {}
            try:
                with connect_sse(self.http, "GET", path, headers=headers) as source:
                    if source.response.status_code == 204:
                        return
                    if source.response.is_error:
                        source.response.read()
                        if source.response.status_code not in BUSY:
                            _good(source.response)
                        raise httpx.TransportError(f"status {source.response.status_code}")
                    for event in source.iter_sse():
                        failures = 0
                        if event.id and event.data:  # a pause between attempts comes as an event without data
                            last = int(event.id)
                            yield Event(last, event.event, json.loads(event.data))
            except httpx.TransportError as error:
                failures += 1
                if failures >= ATTEMPTS:
                    raise self._unreachable(error) from error
                self._wait(failures - 1)

    def _wait(self, attempt: int, wanted: str | None = None) -> None:
        """Wait before the next attempt, as long as the server wants, else longer and longer."""
        seconds = min(LONGEST, PAUSE * 2**attempt) * random.uniform(0.5, 1.0)
        if wanted is not None and wanted.isdigit():
            seconds = min(60.0, float(wanted))
        self._sleep(seconds)

    def _unreachable(self, error: Exception) -> ServerError:
        return ServerError(f"{self.http.base_url} does not answer ({error or type(error).__name__})")


def _good(response: httpx.Response) -> httpx.Response:
    """The response; `ServerError` for a problem."""
    if not response.is_error:
        return response
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    raise ServerError.of(response.status_code, problem if isinstance(problem, dict) else {})
