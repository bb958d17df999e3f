"""``/v1/searches/{id}/events``: what happens to a search, as server-sent events with ids."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from nas.service.api.searches import Id, known_search
from nas.service.clock import iso
from nas.service.security.access import Reader
from nas.service.service import Service, service_of
from nas.service.store.search_store import StoredEvent, events_after, get_search

router = APIRouter(prefix="/v1", tags=["searches"])

PAUSE = 0.5
"""Seconds between two looks into the database."""
SILENCE = 15.0
"""Seconds without an event after which a comment keeps the connection open."""
EVENT = {
    "type": "object",
    "description": "one event; data is a JSON object",
    "properties": {
        "id": {"type": "string", "description": "number of the event, from 1"},
        "event": {"enum": ["state", "stage", "progress", "log"]},
        "data": {"type": "string"},
        "retry": {"type": "integer"},
    },
}
EXAMPLE = 'id: 3\nevent: progress\ndata: {"round": 0, "trainings": 8.0, "budget": 12, "best": 0.91}\n\n'
Last = Annotated[str | None, Header(pattern="^[0-9]{1,9}$", description="id of the last event that was received")]


@router.get(
    "/searches/{id:search}/events",
    summary="Follow a search",
    operation_id="follow_search",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "the events",
            "content": {"text/event-stream": {"schema": EVENT, "example": EXAMPLE}},
        },
        204: {"description": "the search has ended, and all events were received"},
    },
)
async def follow(request: Request, caller: Reader, id: Id, last_event_id: Last = None) -> Response:
    """Server-sent events from the first one, or after `Last-Event-ID`.

    Kinds: `state`, `stage`, `progress`, `log`. The stream ends when the search does. A client that connects again then
    gets 204, which tells a browser to stop.
    """
    service = service_of(request)
    search = await run_in_threadpool(known_search, service, id)
    last = int(last_event_id or 0)
    if search.ended and last >= search.events:
        return Response(status_code=204)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_stream(service, id, last), media_type="text/event-stream", headers=headers)


async def _stream(service: Service, id_: str, last: int) -> AsyncIterator[str]:
    """The events as text."""
    yield "retry: 2000\n\n"
    said = time.monotonic()
    while True:
        found, ended = await run_in_threadpool(_read, service, id_, last)
        for event in found:
            last, said = event.number, time.monotonic()
            yield _text(event)
        if (ended and not found) or service.stopping.is_set():
            return
        if not found:
            await asyncio.sleep(PAUSE)
        if time.monotonic() - said > SILENCE:
            said = time.monotonic()
            yield ": still there\n\n"


def _read(service: Service, id_: str, last: int) -> tuple[list[StoredEvent], bool]:
    """The next events, and whether the search had ended before they were read."""
    with service.database.read() as connection:
        search = get_search(connection, id_)
        return events_after(connection, id_, last), search is None or search.ended


def _text(event: StoredEvent) -> str:
    data = json.dumps({**event.data, "at": iso(event.at)}, separators=(",", ":"))
    return f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n"
