"""Turns exceptions into problems: wrong requests, a lost database, a full disk, a bug of ours."""

import errno
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from nas.service.openapi import allowed
from nas.service.problems import MEDIA_TYPE, Problem, body_of, unavailable
from nas.service.searches.search_request import refuse_forbidden

log = logging.getLogger(__name__)

MOST_ERRORS = 20
"""Most single errors in an answer."""
Handler = Callable[[Request, Any], Awaitable[Response]]


def answer(problem: Problem) -> Response:
    """The answer to a request that ended with a problem."""
    return Response(body_of(problem), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def problem_for(error: BaseException) -> Problem:
    """The problem that an exception of an operation means; 500 for a bug, whose traceback is logged."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, SQLAlchemyError):
        return _database(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(507, "disk-full", "the disk of the service is full; nothing was changed")
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO):
        log.error("the data folder cannot be written: %s", error.strerror)
        return unavailable("read-only", f"the data folder of the service cannot be written ({error.strerror})", 30)
    log.error("bug", exc_info=error)
    return Problem(500, "internal", "an error of the service; its log has the details")


def install(app: FastAPI) -> None:
    """Let the application answer all errors with problems."""

    async def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code in (404, 405):
            return answer(_no_route(app, request))
        return answer(problem_for(error))

    for kind in (Problem, RequestValidationError, HTTPException, SQLAlchemyError, OSError):
        app.add_exception_handler(kind, handle)


def _invalid(error: RequestValidationError) -> Problem:
    """400 for a body that is no JSON, 422 for one that does not fit, with the place of each error."""
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return Problem(400, "not-json", "the body is not valid JSON")
    try:
        refuse_forbidden(error.body)
    except Problem as problem:
        return problem
    errors = [{"name": _place(one["loc"]), "detail": str(one["msg"])[:300]} for one in found[:MOST_ERRORS]]
    first = f"{errors[0]['name']}: {errors[0]['detail']}" if errors else "the request does not fit"
    return Problem(422, "invalid", first, errors=errors)


def _place(location: tuple[object, ...]) -> str:
    """Where in the request an error is, such as ``body.trainings``."""
    return ".".join(str(part)[:100] for part in location)


def _no_route(app: FastAPI, request: Request) -> Problem:
    """405 with the allowed methods for an address of the API, else 404."""
    methods = allowed(app, request.scope["path"].removeprefix(request.scope.get("root_path", "")))
    if methods and request.method not in methods:
        detail = "this address does not allow the method"
        return Problem(405, "method-not-allowed", detail, headers={"allow": ", ".join(methods)})
    return Problem(404, "not-found", "there is nothing at this address")


def _http(error: HTTPException) -> Problem:
    """The framework's other errors, such as a body that cannot be parsed."""
    if isinstance(error.__cause__, Problem):  # raised while the body was read
        return error.__cause__
    kind = {400: "bad-request", 415: "media-type"}.get(error.status_code, "http")
    return Problem(error.status_code, kind, str(error.detail)[:300], headers=dict(error.headers or {}))


def _database(error: SQLAlchemyError) -> Problem:
    """A full disk, a database that is read-only, or one that cannot be reached."""
    cause = getattr(error, "orig", None)
    text = str(cause).lower()
    log.error("the database failed: %s: %s", type(cause or error).__name__, text[:300])
    if "disk is full" in text or "no space left" in text or getattr(cause, "sqlstate", None) == "53100":
        return Problem(507, "disk-full", "the disk of the database is full; nothing was changed")
    if "readonly" in text or "read-only" in text:
        return unavailable("read-only", "the database of the service is read-only", 30)
    if isinstance(cause, sqlite3.DatabaseError) and "malformed" in text:
        return unavailable("database", "the database of the service is damaged; its operator must restore it", 60)
    return unavailable("database", "the database of the service cannot be reached; nothing was changed", 5)
