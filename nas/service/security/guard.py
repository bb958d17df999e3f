"""The outermost layer: hosts and origins, size and pace of request bodies, security headers, the log of requests."""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Callable
from secrets import token_hex
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nas.service.errors import problem_for
from nas.service.problems import MEDIA_TYPE, Problem, body_of
from nas.service.security.hosts import Hosts
from nas.service.settings import Limits

log = logging.getLogger("nas.service.requests")

SECURITY: dict[str, str] = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every answer that does not set them itself."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
UPLOADS = (re.compile(r"/v1/models/?"), re.compile(r"/v1/datasets/?"))
LINGER_SECONDS = 2.0
LINGER_BYTES = 1 << 26
"""How long, and for how much, a client that was refused may go on sending before the connection is cut."""


class Guard:
    """An ASGI middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, *, hosts: Hosts, limits: Limits, root_path: str, observe: Callable[..., None]
    ) -> None:
        """`observe(method, route, status, seconds)` is called after every request."""
        self._app, self._hosts, self._limits, self._root, self._observe = app, hosts, limits, root_path, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._root:
            scope["root_path"] = self._root
        request = _Request(scope, receive, send, self._limits)
        began = time.perf_counter()
        try:
            self._hosts.check(Headers(scope=scope), changes=scope["method"] not in SAFE)
            request.check_length()
            await self._app(scope, request.receive, request.send)
        except Exception as error:  # noqa: BLE001  the outermost layer: every error becomes an answer
            problem = problem_for(error)
            if request.status is None:
                await request.refuse(problem)
        finally:
            self._note(scope, request, time.perf_counter() - began)

    def _note(self, scope: Scope, request: "_Request", seconds: float) -> None:
        """Log and count the request. Query, headers and body are not logged: they can hold secrets."""
        route = getattr(scope.get("route"), "path_format", "other")
        status = request.status or 499
        self._observe(scope["method"], route, status, seconds)
        facts: dict[str, Any] = {"method": scope["method"], "path": scope["path"][:200], "status": status}
        facts |= {"ms": round(seconds * 1000, 1), "caller": scope.get("state", {}).get("caller"), "request": request.id}
        log.info("request", extra={"facts": facts})


class _Request:
    """The body of one request, counted while it streams, and its answer, with the security headers."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self._scope, self._receive, self._send, self._limits = scope, receive, send, limits
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        uploads = (limits.model, limits.dataset)
        self._most = next(
            (most for form, most in zip(UPLOADS, uploads, strict=True) if form.fullmatch(path)), limits.body
        )
        self._read = 0
        self._whole = False
        self.status: int | None = None
        self.id = token_hex(8)

    def check_length(self) -> None:
        """Refuse a body that says that it is too long, before any of it is read."""
        length = Headers(scope=self._scope).get("content-length", "")
        if length.isdecimal() and int(length) > self._most:
            raise self._too_long()

    async def receive(self) -> Message:
        """The next part of the body."""
        if self._whole:
            return await self._receive()  # waits for the end of the connection
        try:
            message = await asyncio.wait_for(self._receive(), self._limits.silence)
        except TimeoutError:
            raise Problem(408, "too-slow", f"no data for {self._limits.silence:g} seconds") from None
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._read > self._most:
                raise self._too_long()
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.id
            for name, value in SECURITY.items():
                headers.setdefault(name, value)
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with a problem, then close the connection.

        The rest of the body is read and dropped for a while: a client that still sends when the connection is cut never sees the answer.
        """
        body = body_of(problem)
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "connection": "close",
        } | problem.headers
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": problem.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drop_the_rest(), LINGER_SECONDS)
        await self.send({"type": "http.response.body", "body": b""})

    async def _drop_the_rest(self) -> None:
        dropped, more = 0, not self._whole
        while more and dropped < LINGER_BYTES:
            message = await self._receive()
            dropped += len(message.get("body", b""))
            more = message.get("more_body", False)  # a closed connection has no more

    def _too_long(self) -> Problem:
        return Problem(413, "too-large", f"the body is larger than {self._most:,} bytes")
