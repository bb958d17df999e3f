"""Searches of seconds, and waiting for them."""

import asyncio
import time
from typing import Any

from benchmarks.support.http_client import Client

SMALL: dict[str, Any] = {
    "task": "digits",
    "space": "mlp",
    "constraint": ["nnz<=300"],
    "trainings": 2,
    "epochs": 1,
    "screen": 4,
    "round": 2,
    "repeats": 1,
    "seed": 1,
    "subset": 200,
}
"""The body of a search of seconds."""
ENDED = ("done", "failed", "cancelled")


async def asked(client: Client, body: object) -> str:
    """Ask for a search; returns its id."""
    answer = await client.ask("POST", "/v1/searches", body)
    if answer.status != 202:
        raise RuntimeError(f"the search was answered by {answer.status}: {answer.body[:500]!r}")
    return str(answer.json()["id"])


async def ended(client: Client, search: str, *states: str, seconds: float = 600.0) -> dict[str, Any]:
    """The search as soon as it has one of the states; by default: as soon as it has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found: dict[str, Any] = (await client.ask("GET", f"/v1/searches/{search}")).json()
        if found["state"] in (states or ENDED):
            return found
        await asyncio.sleep(0.2)
    raise RuntimeError(f"search {search} did not end within {seconds:g} seconds")
