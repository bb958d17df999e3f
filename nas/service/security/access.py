"""Who sends a request, and whether that is allowed.

Without any token, a service that only this machine can reach is open to its users. As soon as one token was ever made, every request
needs one, so that an expired token does not open the service again.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from nas.service.clock import now
from nas.service.problems import Problem
from nas.service.security.rate import Rate
from nas.service.security.tokens import FORM, SCOPES, Scope, Token, find_token, hashed, list_tokens
from nas.service.store.database import Database

REMEMBERED = 2.0
"""Seconds for which a looked-up token is remembered; a revoked token works for at most so long."""
MOST_REMEMBERED = 10_000
LOCAL = "local"
"""Owner of what is sent without a token."""

bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A token that `nas token create` printed.")


@dataclass(frozen=True)
class Caller:
    """Who sends a request: id of the token, and its scope."""

    id: str
    scope: Scope

    def may(self, scope: Scope) -> bool:
        """Whether the caller has that scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


class Access:
    """Finds out who sends a request."""

    def __init__(self, database: Database, *, open_without_tokens: bool, rate: float) -> None:
        """`open_without_tokens`: whether requests need no token while there is none. `rate`: requests per second and owner."""
        self._database, self._open = database, open_without_tokens
        self._known: dict[str, tuple[float, Token | None]] = {}
        self._any: tuple[float, bool] = (0.0, True)
        self._rate = Rate(rate)

    async def caller(self, text: str | None) -> Caller:
        """The sender of a request with that token.

        Raises:
            Problem: 401 without a usable token, 429 if the sender is too fast.
        """
        if text is None:
            if not self._open or await self._tokens_exist():
                raise unauthorized("this service needs a token: Authorization: Bearer nas_…")
            found = Caller(LOCAL, "admin")
        else:
            token = await self._token(text) if FORM.fullmatch(text) else None
            if token is None or not token.valid(now()):
                raise unauthorized("the token is unknown, expired or revoked")
            found = Caller(token.id, token.scope)
        self._rate.take(found.id)
        return found

    async def _token(self, text: str) -> Token | None:
        hash_ = hashed(text)
        at, token = self._known.get(hash_, (0.0, None))
        if hash_ not in self._known or time.monotonic() - at > REMEMBERED:
            token = await run_in_threadpool(self._look_up, hash_)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[hash_] = time.monotonic(), token
        return token

    def _look_up(self, hash_: str) -> Token | None:
        with self._database.read() as connection:
            return find_token(connection, hash_)

    async def _tokens_exist(self) -> bool:
        at, exist = self._any
        if at == 0.0 or time.monotonic() - at > REMEMBERED:
            exist = await run_in_threadpool(self._look_for_any)
            self._any = time.monotonic(), exist
        return exist

    def _look_for_any(self) -> bool:
        with self._database.read() as connection:
            return bool(list_tokens(connection))


def unauthorized(detail: str) -> Problem:
    """401, with the challenge that HTTP asks for."""
    return Problem(401, "unauthorized", detail, headers={"www-authenticate": 'Bearer realm="nas"'})


def needs(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """The dependency of an operation that needs a scope; it gives the caller."""

    async def caller(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
    ) -> Caller:
        if credentials is None and "authorization" in request.headers:
            raise unauthorized("the Authorization header must be: Bearer nas_…")
        access: Access = request.app.state.access
        found = await access.caller(None if credentials is None else credentials.credentials)
        request.state.caller = found.id
        if not found.may(scope):
            raise Problem(403, "forbidden", f"this needs a token of the scope {scope}; yours has {found.scope}")
        return found

    return caller


Reader = Annotated[Caller, Depends(needs("read"))]
Runner = Annotated[Caller, Depends(needs("run"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
