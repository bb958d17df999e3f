"""Access tokens: ``nas_`` and 43 random characters. Only the SHA-256 of a token is stored; 256 random bits need no slow hash."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Connection, insert, select, update

from nas.service.clock import now
from nas.service.store.schema import tokens

Scope = Literal["read", "run", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Each scope contains those before it."""
PREFIX = "nas_"
FORM = re.compile(r"nas_[A-Za-z0-9_-]{43}")
DAY = 24 * 3600 * 1000


@dataclass(frozen=True, kw_only=True)
class Token:
    """What is known about a token. Times are in milliseconds; `expires` and `revoked` may be None."""

    id: str
    name: str
    scope: Scope
    created: int
    expires: int | None
    revoked: int | None

    def valid(self, at: int) -> bool:
        """Whether it may be used at that time."""
        return self.revoked is None and (self.expires is None or at < self.expires)


def create_token(connection: Connection, name: str, scope: Scope, days: float | None) -> tuple[Token, str]:
    """A new token: what is known about it, and its text, which is shown only once."""
    text = PREFIX + secrets.token_urlsafe(32)
    at = now()
    expires = None if days is None else at + round(days * DAY)
    token = Token(id=secrets.token_hex(8), name=name, scope=scope, created=at, expires=expires, revoked=None)
    connection.execute(
        insert(tokens).values(
            id=token.id, hash=hashed(text), name=name, scopes=scope, created=at, expires=expires, revoked=None
        )
    )
    return token, text


def find_token(connection: Connection, hash_: str) -> Token | None:
    """The token with that hash, even if it is expired or revoked."""
    row = connection.execute(select(tokens).where(tokens.c.hash == hash_)).one_or_none()
    return None if row is None else _token(row)


def list_tokens(connection: Connection) -> Sequence[Token]:
    """All tokens, the oldest first."""
    return [_token(row) for row in connection.execute(select(tokens).order_by(tokens.c.created, tokens.c.id))]


def revoke_token(connection: Connection, id_: str) -> bool:
    """Make a token useless; False if there is no such token that is still usable."""
    query = update(tokens).where(tokens.c.id == id_, tokens.c.revoked.is_(None)).values(revoked=now())
    return connection.execute(query.returning(tokens.c.id)).one_or_none() is not None


def hashed(text: str) -> str:
    """The stored form of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def _token(row: object) -> Token:
    values = row._mapping  # type: ignore[attr-defined]
    names = ("id", "name", "created", "expires", "revoked")
    return Token(scope=values["scopes"], **{name: values[name] for name in names})
