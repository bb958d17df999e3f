"""Errors of the API as ``application/problem+json`` (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:nas:problem:"


class Problem(Exception):  # noqa: N818  the word of RFC 9457
    """An error that the caller of the API sees.

    Attributes:
        status: HTTP status code.
        kind: short name of the kind of problem; `type` in the answer is ``urn:nas:problem:KIND``.
        detail: one or two sentences: what is wrong, and the remedy.
        headers: further headers of the answer, such as ``Retry-After``.
        errors: the single errors of a request that has several.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """See the class."""
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.headers, self.errors = dict(headers or {}), list(errors)

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        title = HTTPStatus(self.status).phrase
        body: dict[str, Any] = {"type": PREFIX + self.kind, "title": title, "status": self.status}
        body["detail"] = self.detail
        return body | ({"errors": self.errors} if self.errors else {})


def body_of(problem: Problem) -> bytes:
    """The body of the answer as bytes. Other than ASCII is escaped: a request may hold texts that cannot be encoded."""
    return json.dumps(problem.to_json()).encode()


def not_found(what: str) -> Problem:
    """404 for a resource that does not exist."""
    return Problem(404, "not-found", f"there is no {what}")


def unprocessable(detail: str, errors: Sequence[Mapping[str, Any]] = ()) -> Problem:
    """422 for a request that is understood, but asks for something that is not possible."""
    return Problem(422, "unprocessable", detail, errors=errors)


def too_many(kind: str, detail: str, seconds: float) -> Problem:
    """429 with ``Retry-After``."""
    return Problem(429, kind, detail, headers={"retry-after": str(max(1, round(seconds)))})


def unavailable(kind: str, detail: str, seconds: float = 5) -> Problem:
    """503 with ``Retry-After``, for a state of the service that passes or that its operator must end."""
    return Problem(503, kind, detail, headers={"retry-after": str(max(1, round(seconds)))})
