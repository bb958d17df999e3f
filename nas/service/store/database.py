"""Connections and transactions, for SQLite and PostgreSQL.

SQLite: a writing transaction begins with ``BEGIN IMMEDIATE``, so that it waits for other writers instead of failing in its middle;
the journal is a write-ahead log, flushed to disk at every commit.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine

BUSY_MILLISECONDS = 15_000
"""How long a writer of SQLite waits for another one."""


class Database:
    """A pool of connections. `read` and `write` raise SQLAlchemy's `DBAPIError` if the database cannot be reached."""

    def __init__(self, url: str) -> None:
        """Nothing is opened yet."""
        self.url = url
        self.engine = _engine(url)

    @property
    def sqlite(self) -> bool:
        """Whether the database is a SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed at the end, rolled back on an error."""
        with self.engine.connect().execution_options(nas_write=True) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(
            url, pool_size=10, max_overflow=40, pool_pre_ping=True, connect_args={"connect_timeout": 5}
        )
    engine = create_engine(url, pool_size=10, max_overflow=40)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # transactions begin in `_begin`
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("nas_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
