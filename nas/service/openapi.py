"""The OpenAPI document: FastAPI's, with problems in the place of its own errors."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from nas import __version__
from nas.service.problems import MEDIA_TYPE, PREFIX

DESCRIPTION = """\
Searches for small sparse neural networks, and predictions of their accuracy.

Every error is an `application/problem+json` object (RFC 9457). `429` and `503` say with `Retry-After` when to try again.
Lists are pages: `next` of one page is the `cursor` of the following one. Times are ISO 8601 in UTC.
"""
PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "An error, as RFC 9457 describes it.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": [f"{PREFIX}unprocessable"]},
        "title": {"type": "string", "examples": ["Unprocessable Content"]},
        "status": {"type": "integer", "examples": [422]},
        "detail": {"type": "string", "examples": ["none of 200 candidates of the space mlp meets nnz<=1"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["name", "detail"],
            },
        },
    },
}
MEANINGS: Mapping[str, str] = {
    "400": "The body cannot be read.",
    "401": "The token is missing, unknown, expired or revoked.",
    "403": "The token lacks the scope, or another web site sent the request.",
    "404": "There is no such resource.",
    "405": "The address does not allow this method.",
    "408": "The body came too slowly.",
    "413": "The body is too large.",
    "415": "The body has the wrong media type.",
    "421": "The service is not called by this host name.",
    "422": "The request does not fit, or asks for something that is not possible.",
    "429": "A quota is used up, or requests come too fast.",
    "500": "An error of the service.",
    "503": "The service cannot answer now.",
    "507": "The disk of the service is full.",
}
PARAMETER = re.compile(r"\{[a-z0-9_]+\}")
ALWAYS = ("400", "403", "405", "421", "500", "503", "507")
WITH_BODY = ("408", "413", "415", "422")
GUARDED = ("401", "429")


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application; it is made once.

    If `app.state.open_without_tokens` is true, tokens are optional in it.
    """
    if app.openapi_schema is None:
        found = get_openapi(
            title="nas", version=__version__, description=DESCRIPTION, routes=app.routes, tags=app.openapi_tags
        )
        for path, item in found["paths"].items():
            for operation in item.values():
                _with_problems(path, operation)
                if "security" in operation and app.state.open_without_tokens:
                    operation["security"] = [*operation["security"], {}]
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = PROBLEM
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = found
    return app.openapi_schema


def allowed(app: FastAPI, path: str) -> list[str]:
    """The methods that an address allows."""
    found = {
        method.upper()
        for form, item in document(app)["paths"].items()
        if re.fullmatch(PARAMETER.sub("[^/:]+", form.replace(".", r"\.")), path)
        for method in item
    }
    return sorted(found)


def _with_problems(path: str, operation: dict[str, Any]) -> None:
    """Add the problems that an operation can answer with."""
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    codes = [*ALWAYS]
    if "{" in path:
        codes.append("404")
    if "requestBody" in operation:
        codes += WITH_BODY
    if "parameters" in operation:
        codes.append("422")
    if "security" in operation:
        codes += GUARDED
    for code in [*sorted(set(codes)), *(code for code in responses if code in ("409", "416"))]:
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        responses[code] = {"description": MEANINGS.get(code, responses.get(code, {}).get("description", ""))} | {
            "content": content
        }
        if code in ("429", "503"):
            responses[code]["headers"] = {
                "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 0}}
            }
