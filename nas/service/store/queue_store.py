"""The queue: which worker runs which search. Every function works inside the transaction of its connection.

A worker holds a search while it raises `beat`. Others judge this with their own stopwatch, not with clock times: who sees the same
`beat` for longer than the lease, or knows that the holder's process is dead, puts the search back into the queue. Every write of a
holder names holder and attempt, so that a worker that lost its search cannot change it any more.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Select, select, update

from nas.service.clock import now
from nas.service.store.schema import searches
from nas.service.store.search_store import StoredSearch, add_event, get_search, stored


def waiting(connection: Connection, skip: Collection[str] = ()) -> bool:
    """Whether a search waits, apart from those of `skip`."""
    return connection.execute(_first(skip)).scalar() is not None


def claim(connection: Connection, holder: str, skip: Collection[str] = ()) -> StoredSearch | None:
    """Take the oldest search of the queue, except those of `skip`; None if there is none."""
    id_ = connection.execute(_first(skip).with_for_update(skip_locked=True)).scalar()
    if id_ is None:
        return None
    connection.execute(
        update(searches)
        .where(searches.c.id == id_)
        .values(
            state="running",
            holder=holder,
            beat=searches.c.beat + 1,
            attempt=searches.c.attempt + 1,
            started=now(),
            finished=None,
            error=None,
        )
    )
    found = get_search(connection, id_)
    if found is not None:
        add_event(connection, id_, "state", {"state": "running", "attempt": found.attempt})
    return found


def running(connection: Connection) -> list[StoredSearch]:
    """All searches that a worker holds."""
    return [stored(row) for row in connection.execute(select(searches).where(searches.c.state == "running"))]


def heartbeat(connection: Connection, held: StoredSearch) -> bool | None:
    """Raise `beat`; returns whether the search shall be cancelled, or None if another worker has it now."""
    done = connection.execute(
        update(searches).where(*_held(held)).values(beat=searches.c.beat + 1).returning(searches.c.cancel)
    ).scalar_one_or_none()
    return None if done is None else bool(done)


def note(connection: Connection, held: StoredSearch, kind: str, data: Mapping[str, Any]) -> bool:
    """Append an event of the holder; False if another worker has the search now."""
    if not _mine(connection, held):
        return False
    add_event(connection, held.id, kind, data)
    if kind == "progress":
        found = get_search(connection, held.id)
        before = (found.progress if found else None) or {}
        values: dict[str, Any] = {"progress": dict(data)}
        if data.get("trainings", 0) > before.get("trainings", 0):  # every attempt reports the round that it begins
            values["deaths"] = 0
        connection.execute(update(searches).where(searches.c.id == held.id).values(**values))
    return True


def finish(connection: Connection, held: StoredSearch, state: str, **values: Any) -> bool:
    """End the search as ``done``, ``failed`` or ``cancelled``; False if another worker has it now."""
    if not _mine(connection, held):
        return False
    ended = {"state": state, "holder": None, "cancel": False, "finished": now()}
    connection.execute(update(searches).where(searches.c.id == held.id).values(**ended, **values))
    add_event(connection, held.id, "state", {"state": state, **{k: v for k, v in values.items() if k != "deaths"}})
    return True


def release(connection: Connection, held: StoredSearch, why: str, *, died: bool = False) -> bool:
    """Put the search back into the queue; False if another worker has it now. `died`: its process did not end by itself."""
    if not _mine(connection, held):
        return False
    deaths = searches.c.deaths + (1 if died else 0)
    back = {"state": "queued", "holder": None, "deaths": deaths}
    connection.execute(update(searches).where(searches.c.id == held.id).values(**back))
    add_event(connection, held.id, "state", {"state": "queued", "why": why})
    return True


def take_over(connection: Connection, seen: StoredSearch, why: str) -> bool:
    """Put the search of a dead worker back into the queue, unless its state changed since it was `seen`."""
    found = get_search(connection, seen.id, lock=True)
    if found is None or (found.state, found.holder, found.beat) != ("running", seen.holder, seen.beat):
        return False
    return release(connection, found, why)


def _first(skip: Collection[str]) -> Select[Any]:
    """The query for the oldest search of the queue."""
    query = select(searches.c.id).where(searches.c.state == "queued").order_by(searches.c.queued, searches.c.id)
    return (query.where(searches.c.id.not_in(list(skip))) if skip else query).limit(1)


def _held(held: StoredSearch) -> tuple[Any, ...]:
    c = searches.c
    return c.id == held.id, c.state == "running", c.holder == held.holder, c.attempt == held.attempt


def _mine(connection: Connection, held: StoredSearch) -> bool:
    """Whether the holder still has the search; the row is locked until the transaction ends."""
    query = select(searches.c.id).where(*_held(held)).with_for_update()
    return connection.execute(query).scalar_one_or_none() is not None
