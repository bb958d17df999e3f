"""Files that are to be removed. Every function works inside the transaction of its connection.

A file may be removed only if the database says so. Files that the database does not know are left alone, because the database may be the
wrong one, or a new one after a loss.
"""

from sqlalchemy import Connection, delete, insert, select

from nas.service.clock import now
from nas.service.store.schema import removals

SEARCH = "search"
"""Kind of a removal: all files of a search. The other kinds are those of uploads."""


def add_removal(connection: Connection, kind: str, name: str) -> None:
    """Note that the files of a search or of an upload are to be removed."""
    drop_removal(connection, kind, name)
    connection.execute(insert(removals).values(kind=kind, name=name, created=now()))


def drop_removal(connection: Connection, kind: str, name: str) -> None:
    """Forget a removal: it is done, or the file is wanted again."""
    connection.execute(delete(removals).where(removals.c.kind == kind, removals.c.name == name))


def list_removals(connection: Connection) -> list[tuple[str, str]]:
    """Kind and name of all that is still to be removed, the oldest first."""
    query = select(removals.c.kind, removals.c.name).order_by(removals.c.created, removals.c.kind, removals.c.name)
    return [(row.kind, row.name) for row in connection.execute(query)]
