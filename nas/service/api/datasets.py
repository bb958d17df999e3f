"""``/v1/datasets``: upload data sets, which searches and predictions then take as their task."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from nas.service import cursor as cursors
from nas.service.api.models import Sha, require_type, stored_bytes
from nas.service.clock import iso
from nas.service.data_folder import SHA256
from nas.service.problems import Problem, not_found, unprocessable
from nas.service.security.access import Reader, Runner
from nas.service.service import Service, service_of
from nas.service.store.upload_store import StoredUpload, add_upload, find_upload, list_uploads, new_upload
from nas.service.uploads import Received, receive

router = APIRouter(prefix="/v1", tags=["datasets"])

KINDS = ("csv", "npz")
MEDIA_TYPES = {"text/csv": "csv", "application/octet-stream": "npz", "application/zip": "npz"}
BINARY = {"schema": {"type": "string", "format": "binary"}}


class DatasetResource(BaseModel):
    """An uploaded data set. Its `sha256` is the name of the task for searches and predictions."""

    sha256: str
    kind: str = Field(description="csv or npz")
    bytes: int
    owner: str
    created: str
    facts: dict[str, Any] = Field(
        description="target, sizes of the splits, shape of an input, number of outputs, metric"
    )


class DatasetPage(BaseModel):
    """One page of data sets."""

    items: list[DatasetResource]
    next: str | None


@router.post(
    "/datasets",
    status_code=201,
    summary="Upload a data set",
    operation_id="create_dataset",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": "width,height,kind\n1.0,2.0,a\n2.0,1.0,b\n"},
                "application/octet-stream": BINARY,
            },
        }
    },
    responses={
        200: {"model": DatasetResource, "description": "the same file was uploaded before"},
        409: {"description": "the same file was uploaded with another target"},
    },
)
async def create(
    request: Request,
    response: Response,
    caller: Runner,
    target: Annotated[
        str | None, Query(min_length=1, max_length=200, description="column of a csv file to predict")
    ] = None,
) -> DatasetResource:
    """The body is the content of a csv file (`text/csv`) or of an npz file with `x` and `y` (`application/octet-stream`)."""
    service = service_of(request)
    require_type(request, tuple(MEDIA_TYPES))
    kind = MEDIA_TYPES[request.headers["content-type"].partition(";")[0].strip().lower()]
    if kind == "npz" and target is not None:
        raise unprocessable("target names a column of a csv file")
    limits = service.settings.limits
    left = limits.stored - await run_in_threadpool(stored_bytes, service, caller.id)
    got = await receive(request.stream(), service.folder, suffix=f".{kind}", most=limits.dataset, left=left)
    try:
        upload, new = await run_in_threadpool(_keep, service, caller.id, got, kind, target)
    finally:
        got.drop()
    response.status_code = 201 if new else 200
    response.headers["location"] = f"{request.scope.get('root_path', '')}/v1/datasets/{upload.sha256}"
    return dataset_resource(upload)


@router.get("/datasets", summary="List uploaded data sets", operation_id="list_datasets")
def page(
    request: Request,
    caller: Reader,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=cursors.MOST)] = 20,
) -> DatasetPage:
    """One page of data sets, ordered by their hash."""
    after = cursors.decode(cursor, SHA256)
    with service_of(request).database.read() as connection:
        found = list_uploads(connection, KINDS, limit=limit + 1, after=after)
    items = [dataset_resource(one) for one in found[:limit]]
    return DatasetPage(items=items, next=cursors.encode(items[-1].sha256) if len(found) > limit else None)


@router.get("/datasets/{sha256}", summary="Show an uploaded data set", operation_id="get_dataset")
def get(request: Request, caller: Reader, sha256: Sha) -> DatasetResource:
    """What is known about the data set."""
    with service_of(request).database.read() as connection:
        found = find_upload(connection, sha256, KINDS)
    if found is None:
        raise not_found(f"data set {sha256}; post it to /v1/datasets first")
    return dataset_resource(found)


def dataset_resource(upload: StoredUpload) -> DatasetResource:
    """A data set as the API shows it."""
    return DatasetResource(
        sha256=upload.sha256,
        kind=upload.kind,
        bytes=upload.bytes,
        owner=upload.owner,
        created=iso(upload.created) or "",
        facts=dict(upload.facts),
    )


def _keep(service: Service, owner: str, got: Received, kind: str, target: str | None) -> tuple[StoredUpload, bool]:
    """Check the file in a process of its own, and store it; returns its facts, and whether it is new."""
    with service.database.read() as connection:
        known = find_upload(connection, got.sha256, KINDS)
    if known is not None:
        if known.kind != kind or known.facts.get("target") != target:
            detail = f"the same file was uploaded as {known.kind} with the target {known.facts.get('target')!r}"
            raise Problem(409, "other-target", f"{detail}; a search can name another target")
        return known, False
    facts = service.pool.call("read_dataset", file=str(got.path), target=target)
    upload = new_upload(kind, got.sha256, owner, "", got.bytes, facts | {"target": target})
    got.keep(service.folder.dataset(got.sha256, kind))
    with service.database.write() as connection:
        new = add_upload(connection, upload)
    return upload, new
