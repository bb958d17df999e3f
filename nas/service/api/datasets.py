"""``/v1/datasets``: upload data sets, which searches and predictions then take as their task."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from nas.service.api.kept_uploads import (
    BINARY,
    IN_USE,
    Cursor,
    Family,
    FileName,
    Limit,
    Sha,
    UploadResource,
    require_type,
    store,
)
from nas.service.problems import Problem, unprocessable
from nas.service.security.access import Reader, Runner
from nas.service.service import Service, service_of
from nas.service.store.upload_store import DATASETS, StoredUpload, find_upload, new_upload
from nas.service.uploads import Received

router = APIRouter(prefix="/v1", tags=["datasets"])

FAMILY = Family(DATASETS, "data set", "/v1/datasets")
MEDIA_TYPES = {"text/csv": "csv", "application/octet-stream": "npz", "application/zip": "npz"}


class DatasetResource(UploadResource):
    """An uploaded data set. Its `sha256` is the name of the task for searches and predictions."""

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
    name: FileName = "",
) -> DatasetResource:
    """The body is the content of a csv file (`text/csv`) or of an npz file with `x` and `y` (`application/octet-stream`)."""
    kind = MEDIA_TYPES[require_type(request, tuple(MEDIA_TYPES))]
    if kind == "npz" and target is not None:
        raise unprocessable("target names a column of a csv file")

    def keep(service: Service, got: Received) -> tuple[StoredUpload, bool]:
        return _keep(service, caller.id, got, kind, target, name)

    most = service_of(request).settings.limits.dataset
    return DatasetResource.of(await FAMILY.take(request, response, caller, most, f".{kind}", keep))


@router.get("/datasets", summary="List uploaded data sets", operation_id="list_datasets")
def page(request: Request, caller: Reader, cursor: Cursor = None, limit: Limit = 20) -> DatasetPage:
    """One page of data sets, ordered by their hash."""
    found, next_ = FAMILY.page(service_of(request), cursor, limit)
    return DatasetPage(items=[DatasetResource.of(one) for one in found], next=next_)


@router.get("/datasets/{sha256}", summary="Show an uploaded data set", operation_id="get_dataset")
def get(request: Request, caller: Reader, sha256: Sha) -> DatasetResource:
    """What is known about the data set."""
    return DatasetResource.of(FAMILY.known(service_of(request), sha256))


@router.delete(
    "/datasets/{sha256}",
    status_code=204,
    summary="Delete an uploaded data set",
    operation_id="delete_dataset",
    responses=IN_USE,
)
def delete(request: Request, caller: Runner, sha256: Sha) -> None:
    """Remove the file; its bytes no longer count for the quota. Searches that used it and have ended keep their results."""
    FAMILY.delete(service_of(request), caller, sha256)


def _keep(
    service: Service, owner: str, got: Received, kind: str, target: str | None, name: str
) -> tuple[StoredUpload, bool]:
    """Check the file in a process of its own, and store it; returns its facts, and whether it is new."""
    with service.database.read() as connection:
        known = find_upload(connection, got.sha256, DATASETS)
    if known is not None:
        if known.kind != kind or known.facts.get("target") != target:
            detail = f"the same file was uploaded as {known.kind} with the target {known.facts.get('target')!r}"
            raise Problem(409, "other-target", f"{detail}; a search can name another target")
        return known, False
    facts = service.pool.call("read_dataset", file=str(got.path), target=target)
    upload = new_upload(kind, got.sha256, owner, name, got.bytes, facts | {"target": target})
    return upload, store(service, got, upload)
