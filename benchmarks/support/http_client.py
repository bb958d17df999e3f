"""An HTTP/1.1 client for asyncio. It takes little processor time, because it shares the machine with the server that is measured."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

JSON = {"content-type": "application/json"}
BINARY = {"content-type": "application/octet-stream"}
CSV = {"content-type": "text/csv"}
LONGEST = 1 << 20
"""Largest head of an answer in bytes."""
SECONDS = 120.0
"""Longest time of a request."""


class ClosedError(ConnectionError):
    """The server closed the connection before its answer was complete."""


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower case) and body. `whole` is False if the rest of the body was not awaited."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Event:
    """A server-sent event, and the second of the event loop at which it arrived."""

    number: int
    kind: str
    data: Mapping[str, Any]
    at: float


class Connection:
    """One connection, for one request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both sides of an open connection."""
        self._reader, self._writer = reader, writer
        self.open = True

    @classmethod
    async def to(cls, port: int) -> "Connection":
        """Connect to a server of this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=LONGEST))

    async def exchange(self, request: bytes, *, head_only: bool = False, patience: float | None = None) -> Answer:
        """Send the bytes of a request and read the answer.

        Args:
            request: the whole request.
            head_only: the request is a HEAD, whose answer has no body.
            patience: seconds to wait for each part of the body; afterwards the answer is returned as it is. None: no limit.

        Raises:
            ClosedError: the connection ended before the answer was complete.
        """
        status, headers = await self.begin(request)
        body, whole = bytearray(), True
        try:
            async for part in self.parts(status, headers, head_only=head_only, patience=patience):
                body += part
        except TimeoutError:
            whole = False
        if not whole or headers.get("connection") == "close":
            self.close()
        return Answer(status, headers, bytes(body), whole)

    async def begin(self, request: bytes) -> tuple[int, dict[str, str]]:
        """Send a request; returns status and headers of the answer."""
        try:
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.close()
            raise ClosedError(f"no answer: {error}") from error
        lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:] if line)
        return int(lines[0].split(" ")[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}

    async def parts(
        self, status: int, headers: Mapping[str, str], *, head_only: bool = False, patience: float | None = None
    ) -> AsyncIterator[bytes]:
        """The parts of the body that belongs to that head; `TimeoutError` if a part takes longer than `patience`."""
        if head_only or status in (204, 304):
            return
        try:
            if headers.get("transfer-encoding") == "chunked":
                while size := int(await asyncio.wait_for(self._reader.readline(), patience) or b"-", 16):
                    yield (await asyncio.wait_for(self._reader.readexactly(size + 2), patience))[:-2]
                await self._reader.readline()
            elif "content-length" in headers:
                length = int(headers["content-length"])
                yield await asyncio.wait_for(self._reader.readexactly(length), patience)
            else:
                yield await asyncio.wait_for(self._reader.read(), patience)
                self.close()
        except TimeoutError:
            raise
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ClosedError(f"the answer is not complete: {error}") from error

    def close(self) -> None:
        """End the connection."""
        self.open = False
        self._writer.close()


class Client:
    """Requests to one server, over connections that are kept open. Requests may run at the same time."""

    def __init__(self, port: int, token: str | None = None) -> None:
        """Nothing is sent yet."""
        self.port, self._token = port, token
        self._free: list[Connection] = []

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
        """The bytes of a request."""
        shown = {"host": f"127.0.0.1:{self.port}"} | dict(headers or {})
        if self._token is not None:
            shown.setdefault("authorization", f"Bearer {self._token}")
        if body or method in ("POST", "PUT", "PATCH"):
            shown.setdefault("content-length", str(len(body)))
        lines = "".join(f"{name}: {value}\r\n" for name, value in shown.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body

    async def ask(
        self, method: str, path: str, body: bytes | object = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to a request. A body that is not bytes is sent as JSON.

        Raises:
            OSError: the server cannot be reached, or closed the connection.
        """
        if not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), JSON | dict(headers or {})
        return await self.send(self.request(method, path, body, headers), head_only=method == "HEAD")

    async def send(self, request: bytes, *, head_only: bool = False, patience: float | None = None) -> Answer:
        """The answer to the bytes of a request, see `Connection.exchange`. `TimeoutError` if it takes longer than `SECONDS`."""
        async with asyncio.timeout(SECONDS):
            while self._free:  # the server closes a connection that nobody used for a while
                try:
                    return await self._exchange(self._free.pop(), request, head_only, patience)
                except ClosedError:
                    continue
            return await self._exchange(await Connection.to(self.port), request, head_only, patience)

    async def _exchange(
        self, connection: Connection, request: bytes, head_only: bool, patience: float | None
    ) -> Answer:
        try:
            answer = await connection.exchange(request, head_only=head_only, patience=patience)
        except BaseException:
            connection.close()
            raise
        if connection.open:
            self._free.append(connection)
        return answer

    async def events(self, search: str, last: int = 0) -> AsyncIterator[Event]:
        """The events of a search after number `last`, until its end. Raises `OSError` if the stream breaks off."""
        connection = await Connection.to(self.port)
        try:
            path = f"/v1/searches/{search}/events"
            status, headers = await connection.begin(self.request("GET", path, headers={"last-event-id": str(last)}))
            if status not in (200, 204):
                raise ClosedError(f"the stream of events was answered by {status}")
            text = ""
            async for part in connection.parts(status, headers):
                text += part.decode()
                *whole, text = text.split("\n\n")
                for event in filter(None, map(_event, whole)):
                    yield event
        finally:
            connection.close()

    def close(self) -> None:
        """End all connections."""
        for connection in self._free:
            connection.close()
        self._free.clear()


def _event(text: str) -> Event | None:
    """An event; None for a comment."""
    fields = dict(line.split(": ", 1) for line in text.split("\n") if ": " in line)
    if "id" not in fields:
        return None
    at = asyncio.get_running_loop().time()
    return Event(int(fields["id"]), fields["event"], json.loads(fields["data"]), at)
