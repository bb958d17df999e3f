"""Searches and their events in the database. Every function works inside the transaction of its connection."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from nas.service.clock import now
from nas.service.store.removal_store import SEARCH, add_removal
from nas.service.store.schema import events, idempotency, searches, spent

State = Literal["queued", "running", "done", "failed", "cancelled"]
DAY = 24 * 3600 * 1000
"""Milliseconds for which trainings count for a quota."""
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
"""States in which nothing happens any more, unless somebody resumes the search."""


@dataclass(frozen=True, kw_only=True)
class StoredSearch:
    """One row of the table of searches.

    Attributes:
        id: 22 hexadecimal digits; ids of later searches are larger.
        owner: id of the token that asked for it, or ``local``.
        request: the checked request.
        trainings: total number of trainings.
        created, queued, started, finished: times in milliseconds; `queued` is the last time that it was put into the queue.
        attempt: how often a worker has begun it.
        deaths: how often its process has died since it last made progress.
        holder, beat: the worker that runs it, and a number that grows while that worker lives.
        cancel: whether somebody asked to cancel it.
        events: number of its events.
        progress: the last progress, see `nas.study.progress.Progress`.
        result: the winner, if it is done.
        error: title and detail of the error, if it failed.
        metric: name, goal and unit of its metric; None for a search of an older version.
    """

    id: str
    owner: str
    state: State
    request: Mapping[str, Any]
    trainings: int
    created: int
    queued: int
    started: int | None
    finished: int | None
    attempt: int
    deaths: int
    holder: str | None
    beat: int
    cancel: bool
    events: int
    progress: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    metric: Mapping[str, Any] | None

    @property
    def ended(self) -> bool:
        """Whether the search is done, failed or cancelled."""
        return self.state in ENDED


@dataclass(frozen=True, kw_only=True)
class StoredEvent:
    """One event of a search: its number (from 1), its kind, and what it says."""

    number: int
    kind: str
    data: Mapping[str, Any]
    at: int


def new_id(at: int) -> str:
    """An id that sorts by its time in milliseconds."""
    return f"{at:012x}{secrets.token_hex(5)}"


def add_search(
    connection: Connection,
    owner: str,
    request: Mapping[str, Any],
    trainings: int,
    metric: Mapping[str, Any] | None = None,
) -> str:
    """Put a search into the queue; returns its id. `metric` has its name, goal and unit."""
    at = now()
    values: dict[str, Any] = {"id": new_id(at), "owner": owner, "state": "queued", "request": dict(request)}
    values |= {
        "trainings": trainings,
        "metric": metric,
        "created": at,
        "queued": at,
        "attempt": 0,
        "deaths": 0,
        "beat": 0,
    }
    connection.execute(insert(searches).values(**values, cancel=False, events=0))
    add_event(connection, values["id"], "state", {"state": "queued"})
    return str(values["id"])


def get_search(connection: Connection, id_: str, *, lock: bool = False) -> StoredSearch | None:
    """The search, or None. `lock` keeps other transactions from changing it until this one ends."""
    query = select(searches).where(searches.c.id == id_)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else stored(row)


def list_searches(
    connection: Connection, *, limit: int, before: str | None = None, state: str | None = None
) -> list[StoredSearch]:
    """At most `limit` searches, the newest first, with ids smaller than `before`."""
    query = select(searches).order_by(searches.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(searches.c.id < before)
    if state is not None:
        query = query.where(searches.c.state == state)
    return [stored(row) for row in connection.execute(query)]


def change_search(connection: Connection, id_: str, **values: Any) -> None:
    """Set columns of a search."""
    connection.execute(update(searches).where(searches.c.id == id_).values(**values))


def delete_search(connection: Connection, search: StoredSearch) -> None:
    """Delete a search with its events, and note its files for removal. Its trainings still count for the quota of the day."""
    connection.execute(delete(spent).where(spent.c.created <= now() - DAY))
    values = {"search": search.id, "owner": search.owner, "trainings": search.trainings, "created": search.created}
    connection.execute(insert(spent).values(**values))
    connection.execute(delete(idempotency).where(idempotency.c.search == search.id))
    connection.execute(delete(searches).where(searches.c.id == search.id))
    add_removal(connection, SEARCH, search.id)


def searches_with(connection: Connection, sha256: str) -> list[str]:
    """Ids of the searches that wait or run, and use the upload with that hash."""
    query = select(searches.c.id, searches.c.request).where(searches.c.state.not_in(ENDED)).order_by(searches.c.id)
    rows = connection.execute(query)
    return [row.id for row in rows if sha256 in (row.request.get("task"), row.request.get("model"))]


def trainings_within_day(connection: Connection, owner: str) -> tuple[int, int | None]:
    """Trainings that an owner asked for within 24 hours, also by searches that are deleted; and when the first was asked for."""
    total, first = 0, None
    for table in (searches, spent):
        sum_, least = connection.execute(
            select(func.coalesce(func.sum(table.c.trainings), 0), func.min(table.c.created)).where(
                table.c.owner == owner, table.c.created > now() - DAY
            )
        ).one()
        total += int(sum_)
        first = least if first is None else min(first, first if least is None else least)
    return total, first


def add_event(connection: Connection, id_: str, kind: str, data: Mapping[str, Any]) -> int:
    """Append an event; returns its number. The row of the search is locked, so that numbers have no gaps."""
    number = connection.execute(
        update(searches).where(searches.c.id == id_).values(events=searches.c.events + 1).returning(searches.c.events)
    ).scalar_one()
    connection.execute(insert(events).values(search=id_, number=number, kind=kind, data=dict(data), at=now()))
    return int(number)


def events_after(connection: Connection, id_: str, number: int, limit: int = 200) -> list[StoredEvent]:
    """The events of a search that follow event `number`, at most `limit`."""
    query = select(events).where(events.c.search == id_, events.c.number > number).order_by(events.c.number)
    return [
        StoredEvent(number=row.number, kind=row.kind, data=row.data, at=row.at)
        for row in connection.execute(query.limit(limit))
    ]


def counts_by_state(connection: Connection) -> dict[str, int]:
    """How many searches there are in each state."""
    query = select(searches.c.state, func.count()).group_by(searches.c.state)
    return {state: int(count) for state, count in connection.execute(query)}


def stored(row: Row[Any]) -> StoredSearch:
    """A row as a value."""
    return StoredSearch(**row._mapping)
