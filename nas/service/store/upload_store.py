"""Uploaded models and data sets in the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text

from nas.service.clock import now
from nas.service.store.schema import uploads

MODEL = "model"
DATASETS = ("csv", "npz")


@dataclass(frozen=True, kw_only=True)
class StoredUpload:
    """One uploaded file: kind (``model``, ``csv``, ``npz``), content hash, size in bytes, and what its check found."""

    kind: str
    sha256: str
    owner: str
    name: str
    bytes: int
    facts: Mapping[str, Any]
    created: int


def add_upload(connection: Connection, upload: StoredUpload) -> bool:
    """Store the facts of a file, whose content is locked; False if the same content is known."""
    if find_upload(connection, upload.sha256, (upload.kind,)) is not None:
        return False
    connection.execute(insert(uploads).values(**vars(upload)))
    return True


def find_upload(connection: Connection, sha256: str, kinds: tuple[str, ...]) -> StoredUpload | None:
    """The file with that content, if it is of one of the kinds."""
    query = select(uploads).where(uploads.c.sha256 == sha256, uploads.c.kind.in_(kinds)).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredUpload(**row._mapping)


def lock_upload(connection: Connection, sha256: str) -> None:
    """Keep other transactions from storing or deleting this content until this one ends.

    In SQLite a writing transaction is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(sha256[:15], 16)})


def delete_upload(connection: Connection, upload: StoredUpload) -> None:
    """Delete the facts of a file."""
    connection.execute(delete(uploads).where(uploads.c.kind == upload.kind, uploads.c.sha256 == upload.sha256))


def list_uploads(
    connection: Connection, kinds: tuple[str, ...], *, limit: int, after: str | None = None
) -> list[StoredUpload]:
    """At most `limit` files, ordered by hash, with hashes larger than `after`."""
    query = select(uploads).where(uploads.c.kind.in_(kinds)).order_by(uploads.c.sha256, uploads.c.kind).limit(limit)
    if after is not None:
        query = query.where(uploads.c.sha256 > after)
    return [StoredUpload(**row._mapping) for row in connection.execute(query)]


def bytes_of(connection: Connection, owner: str) -> int:
    """Sum of the sizes of all files of an owner."""
    total = connection.execute(select(func.coalesce(func.sum(uploads.c.bytes), 0)).where(uploads.c.owner == owner))
    return int(total.scalar_one())


def new_upload(kind: str, sha256: str, owner: str, name: str, size: int, facts: Mapping[str, Any]) -> StoredUpload:
    """The facts of a file that arrived now."""
    return StoredUpload(kind=kind, sha256=sha256, owner=owner, name=name, bytes=size, facts=dict(facts), created=now())
