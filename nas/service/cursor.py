"""Cursors of pages: opaque texts that name the last item of the page before."""

import base64
import binascii
import re

from nas.service.problems import Problem

MOST = 100
"""Most items of a page."""


def encode(last: str) -> str:
    """The cursor after an item."""
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def decode(cursor: str | None, form: re.Pattern[str]) -> str | None:
    """The item that a cursor names; `Problem` 422 for a text that is no cursor, or names an item of another form."""
    if cursor is None:
        return None
    try:
        item = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        item = ""
    if form.fullmatch(item) is None:
        raise Problem(422, "bad-cursor", "the cursor is not one that this service gave; begin without a cursor")
    return item
