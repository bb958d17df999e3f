"""What ``/v1/models`` and ``/v1/datasets`` share: to receive a file, to list, show and delete what was uploaded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Self

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from nas.service import cursor as cursors
from nas.service.clock import iso
from nas.service.data_folder import SHA256
from nas.service.problems import Problem, not_found
from nas.service.removals import finish
from nas.service.security.access import Caller
from nas.service.service import Service, service_of
from nas.service.store.removal_store import add_removal, drop_removal
from nas.service.store.search_store import searches_with
from nas.service.store.upload_store import (
    StoredUpload,
    add_upload,
    bytes_of,
    delete_upload,
    find_upload,
    list_uploads,
    lock_upload,
)
from nas.service.uploads import Received, receive

Sha = Annotated[str, Path(pattern="^[0-9a-f]{64}$", examples=["ab" * 32], description="sha256 of an uploaded file")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=cursors.MOST, description="most items of the page")]
FileName = Annotated[
    str,
    Query(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        examples=["iris.csv"],
        description="how the file is called on your machine",
    ),
]
BINARY = {"schema": {"type": "string", "format": "binary"}}
IN_USE: dict[int | str, dict[str, Any]] = {409: {"description": "a search that waits or runs uses the file"}}


class UploadResource(BaseModel):
    """An uploaded file."""

    sha256: str
    kind: str = Field(description="model, csv or npz")
    name: str = Field(description="how its owner called it; empty if that was not said", examples=["iris.csv"])
    bytes: int
    owner: str
    created: str
    facts: dict[str, Any]

    @classmethod
    def of(cls, upload: StoredUpload) -> Self:
        """The upload as the API shows it."""
        return cls(**vars(upload) | {"created": iso(upload.created) or "", "facts": dict(upload.facts)})


@dataclass(frozen=True)
class Family:
    """What tells the two families of uploads apart.

    Attributes:
        kinds: kinds of the files.
        word: how a file is called in a text.
        place: address of the list.
    """

    kinds: tuple[str, ...]
    word: str
    place: str

    def missing(self, sha256: str) -> Problem:
        """404 for a file that was never uploaded, or is deleted."""
        return not_found(f"{self.word} {sha256}; post it to {self.place} first")

    def known(self, service: Service, sha256: str) -> StoredUpload:
        """The upload; `Problem` 404 if there is none."""
        with service.database.read() as connection:
            found = find_upload(connection, sha256, self.kinds)
        if found is None:
            raise self.missing(sha256)
        return found

    def page(self, service: Service, cursor: str | None, limit: int) -> tuple[list[StoredUpload], str | None]:
        """One page of uploads, ordered by their hash, and the cursor of the next page."""
        after = cursors.decode(cursor, SHA256)
        with service.database.read() as connection:
            found = list_uploads(connection, self.kinds, limit=limit + 1, after=after)
        return found[:limit], cursors.encode(found[limit - 1].sha256) if len(found) > limit else None

    async def take(
        self,
        request: Request,
        response: Response,
        caller: Caller,
        most: int,
        suffix: str,
        keep: Callable[[Service, Received], tuple[StoredUpload, bool]],
    ) -> StoredUpload:
        """Receive the body of a request; `keep` checks and stores the file, and says whether it is new."""
        service = service_of(request)
        left = service.settings.limits.stored - await run_in_threadpool(_stored_bytes, service, caller.id)
        got = await receive(request.stream(), service.folder, suffix=suffix, most=most, left=left)
        try:
            upload, new = await run_in_threadpool(keep, service, got)
        finally:
            got.drop()
        response.status_code = 201 if new else 200
        response.headers["location"] = f"{request.scope.get('root_path', '')}{self.place}/{upload.sha256}"
        return upload

    def delete(self, service: Service, caller: Caller, sha256: str) -> None:
        """Delete an upload: first its row, then its file. `Problem` 404, 403 for another owner's, 409 if a search needs it."""
        with service.database.write() as connection:
            lock_upload(connection, sha256)
            found = find_upload(connection, sha256, self.kinds)
            if found is None:
                raise self.missing(sha256)
            if found.owner != caller.id and not caller.may("admin"):
                raise Problem(
                    403, "forbidden", "another token uploaded this file; only that one or an admin may delete it"
                )
            users = searches_with(connection, sha256)
            if users:
                raise Problem(409, "in-use", f"search {users[0]} waits or runs with this {self.word}; cancel it first")
            delete_upload(connection, found)
            add_removal(connection, found.kind, sha256)
        service.predictions.forget(sha256)
        finish(service.database, service.folder, found.kind, sha256)


def store(service: Service, got: Received, upload: StoredUpload) -> bool:
    """Move a file that was checked to its place, and store its facts; False if the same content was stored meanwhile.

    The file is noted as one to remove until its row is there, so that a kill in between leaves nothing behind.
    """
    path = service.folder.upload(upload.kind, upload.sha256)
    with service.database.write() as connection:
        lock_upload(connection, upload.sha256)
        if find_upload(connection, upload.sha256, (upload.kind,)) is None:
            add_removal(connection, upload.kind, upload.sha256)
    with service.database.write() as connection:
        lock_upload(connection, upload.sha256)
        new = add_upload(connection, upload)
        if new:
            got.keep(path)
        drop_removal(connection, upload.kind, upload.sha256)
    return new


def require_type(request: Request, allowed: tuple[str, ...]) -> str:
    """The media type of the body; `Problem` 415 unless it is one of these."""
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in allowed:
        raise Problem(415, "media-type", f"send the file as {allowed[0]}, got {found[:100] or 'no content type'}")
    return found


def _stored_bytes(service: Service, owner: str) -> int:
    """Sum of the sizes of all uploads of an owner."""
    with service.database.read() as connection:
        return bytes_of(connection, owner)
