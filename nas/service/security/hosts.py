"""Refuses requests that another web site sends through a browser (cross-site requests, DNS rebinding)."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from nas.service.problems import Problem

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Hosts:
    """The host names under which the service may be called."""

    def __init__(self, allowed: Iterable[str], *, loopback: bool) -> None:
        """On loopback only its own names and `allowed` may be used; elsewhere any name, unless `allowed` has some."""
        names = {name.lower() for name in allowed}
        self._allowed = names | LOOPBACK if loopback or names else None

    def check(self, headers: Headers, *, changes: bool) -> None:
        """Check the headers of a request; `changes`: whether its method can change something.

        Raises:
            Problem: 421 for a host name that is not ours, 403 for a request from another web site.
        """
        host = headers.get("host", "")
        if self._allowed is not None and _name(host) not in self._allowed:
            raise Problem(421, "unknown-host", "the service is not called by this host name; see --allow-host")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Problem(403, "cross-site", "requests from other web sites are refused")
        if changes and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise Problem(403, "cross-site", "requests from other web sites are refused")


def _name(host: str) -> str:
    """The host name without its port; empty if it is not valid."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
