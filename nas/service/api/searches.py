"""``/v1/searches``: ask for a search, look at it, cancel it, resume it."""

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError
from starlette.convertors import Convertor, register_url_convertor

from nas.service import cursor as cursors
from nas.service.clock import now
from nas.service.data_folder import SEARCH_ID
from nas.service.json_numbers import Whole
from nas.service.problems import Problem, not_found, too_many, unprocessable
from nas.service.removals import finish
from nas.service.searches.search_config import checked_request, config_of, lost_uploads
from nas.service.searches.search_request import SearchRequest, options
from nas.service.searches.search_resource import MetricShown, SearchPage, SearchResource, resource
from nas.service.security.access import Caller, Reader, Runner
from nas.service.service import Service, service_of
from nas.service.store.removal_store import SEARCH
from nas.service.store.schema import idempotency, searches
from nas.service.store.search_store import (
    DAY,
    State,
    StoredSearch,
    add_event,
    add_search,
    change_search,
    delete_search,
    get_search,
    list_searches,
    trainings_within_day,
)

router = APIRouter(prefix="/v1", tags=["searches"])

CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "the state of the search does not allow this"}}
Id = Annotated[str, Path(pattern="^[0-9a-f]{22}$", examples=["019b2f0c8a10aabbccddee"], description="id of a search")]
Key = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="a unique text of the client: the same request with the same key creates one search only",
    ),
]


class SearchIds(Convertor[str]):
    """Ids of searches in an address; anything else is not an address of this service."""

    regex = "[0-9a-f]{22}"

    def convert(self, value: str) -> str:
        """The id."""
        return value

    def to_string(self, value: str) -> str:
        """The id."""
        return value


register_url_convertor("search", SearchIds())


class Outlook(BaseModel):
    """What a search would do."""

    sizes: list[dict[str, Any]] = Field(description="the smallest, middle and largest of random candidates")
    plain: list[dict[str, Any]] = Field(description="sizes of the plain networks, without a mask")
    references: list[dict[str, Any]] = Field(description="what is tried first, with its cost in trainings")
    methods: list[dict[str, Any]] = Field(description="the mask methods, with their costs in trainings")
    space: list[dict[str, Any]] = Field(description="what architectures are drawn from")
    budget: list[dict[str, Any]] = Field(description="what the trainings are spent on")
    seconds: float = Field(description="estimated time of the search")
    how: str = Field(description="how the time was estimated")
    metric: MetricShown = Field(description="what the trainings measure")
    remark: str = Field(description="decision about the inputs of a model file; empty without one")


class Resumption(BaseModel):
    """How to go on with a search."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"trainings": 24}]})

    trainings: Annotated[Whole, Field(ge=1, le=100_000)] | None = Field(
        None, description="new total number of trainings (default: as before)"
    )


@router.post("/searches", status_code=202, summary="Ask for a search", operation_id="create_search")
def create(
    request: Request,
    response: Response,
    caller: Runner,
    body: Annotated[SearchRequest, Body()],  # type: ignore[valid-type]
    idempotency_key: Key = None,
) -> SearchResource:
    """Check the search and put it into the queue. A budget that no candidate can meet is refused before anything is trained."""
    service = service_of(request)
    asked = options(body)  # type: ignore[arg-type]
    fingerprint = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    known = _known(service, caller, idempotency_key, fingerprint)
    if known is None:
        stored, metric = _checked(service, caller, asked)
        known = _created(service, caller, stored, metric, idempotency_key, fingerprint)
    else:
        response.headers["idempotency-replayed"] = "true"
    root = request.scope.get("root_path", "")
    response.headers["location"] = f"{root}/v1/searches/{known.id}"
    return resource(known, root)


@router.post("/searches:validate", summary="Say what a search would do", operation_id="validate_search")
def validate(request: Request, caller: Runner, body: Annotated[SearchRequest, Body()]) -> Outlook:  # type: ignore[valid-type]
    """Check the search, train a few batches to measure their time, and store nothing."""
    service = service_of(request)
    with service.database.read() as connection:
        stored = checked_request(connection, options(body))  # type: ignore[arg-type]
    _within_limits(service, stored)
    found = service.dry_runs.call("ahead", config=config_of(stored, service.folder, service.settings))
    return Outlook(**found)


@router.get("/searches", summary="List searches, the newest first", operation_id="list_searches")
def page(
    request: Request,
    caller: Reader,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=cursors.MOST, description="most items of the page")] = 20,
    state: Annotated[State | None, Query(description="only searches in this state")] = None,
) -> SearchPage:
    """One page of searches."""
    before = cursors.decode(cursor, SEARCH_ID)
    with service_of(request).database.read() as connection:
        found = list_searches(connection, limit=limit + 1, before=before, state=state)
    root = request.scope.get("root_path", "")
    more = len(found) > limit
    items = [resource(one, root) for one in found[:limit]]
    return SearchPage(items=items, next=cursors.encode(items[-1].id) if more else None)


@router.get("/searches/{id:search}", summary="Show a search", operation_id="get_search")
def get(request: Request, caller: Reader, id: Id) -> SearchResource:
    """State, progress and result of a search."""
    return resource(known_search(service_of(request), id), request.scope.get("root_path", ""))


@router.post(
    "/searches/{id:search}:cancel",
    status_code=202,
    summary="Cancel a search",
    operation_id="cancel_search",
    responses=CONFLICT,
)
def cancel(request: Request, caller: Runner, id: Id) -> SearchResource:
    """A search that waits is cancelled at once, one that runs within seconds. What it has found is kept."""
    with service_of(request).database.write() as connection:
        found = _own(connection, id, caller)
        if found.state == "queued":
            change_search(connection, id, state="cancelled", finished=now(), cancel=False)
            add_event(connection, id, "state", {"state": "cancelled"})
        elif found.state == "running":
            change_search(connection, id, cancel=True)
        elif found.state != "cancelled":
            raise Problem(
                409, "wrong-state", f"the search is {found.state}; only one that waits or runs can be cancelled"
            )
        return resource(_again(connection, id), request.scope.get("root_path", ""))


@router.post(
    "/searches/{id:search}:resume",
    status_code=202,
    summary="Resume a search",
    operation_id="resume_search",
    responses=CONFLICT,
)
def resume(
    request: Request, caller: Runner, id: Id, body: Annotated[Resumption | None, Body()] = None
) -> SearchResource:
    """Go on with a search that ended, where it stopped; `trainings` is the new total. Nothing is trained twice."""
    service = service_of(request)
    with service.database.write() as connection:
        found = _own(connection, id, caller)
        total = found.trainings if body is None or body.trainings is None else body.trainings
        if not found.ended:
            raise Problem(409, "wrong-state", f"the search is {found.state}; only one that ended can be resumed")
        spent = max(
            found.trainings, (found.progress or {}).get("trainings", 0)
        )  # a last round may cost more than was left
        if found.state == "done" and total <= spent:
            raise Problem(409, "wrong-state", f"the search is done with {spent:g} trainings; give a larger total")
        if total < found.trainings:
            raise unprocessable(f"trainings is the new total, at least {found.trainings}, got {total}")
        for sha256 in lost_uploads(connection, found.request):
            raise Problem(
                409, "upload-deleted", f"the search needs the upload {sha256}, which was deleted; upload it again"
            )
        _within_limits(service, {"trainings": total})
        _within_quota(connection, service, found.owner, total - found.trainings)
        values = {"state": "queued", "queued": now(), "finished": None, "error": None, "result": None, "deaths": 0}
        change_search(connection, id, trainings=total, cancel=False, **values)
        add_event(connection, id, "state", {"state": "queued", "trainings": total})
        return resource(_again(connection, id), request.scope.get("root_path", ""))


@router.delete(
    "/searches/{id:search}",
    status_code=204,
    summary="Delete a search",
    operation_id="delete_search",
    responses=CONFLICT,
)
def delete(request: Request, caller: Runner, id: Id) -> None:
    """Delete a search that ended, with its events and files. Its trainings still count for the quota of the day."""
    service = service_of(request)
    with service.database.write() as connection:
        found = _own(connection, id, caller)
        if not found.ended:
            raise Problem(409, "wrong-state", f"the search is {found.state}; cancel it first")
        delete_search(connection, found)
    finish(service.database, service.folder, SEARCH, id)


def known_search(service: Service, id_: str) -> StoredSearch:
    """The search; `Problem` 404 if there is none."""
    with service.database.read() as connection:
        found = get_search(connection, id_)
    if found is None:
        raise not_found(f"search {id_}")
    return found


def _own(connection: Connection, id_: str, caller: Caller) -> StoredSearch:
    """The search, locked, if the caller may change it."""
    found = get_search(connection, id_, lock=True)
    if found is None:
        raise not_found(f"search {id_}")
    if found.owner != caller.id and not caller.may("admin"):
        raise Problem(403, "forbidden", "another token asked for this search; only that one or an admin may change it")
    return found


def _again(connection: Connection, id_: str) -> StoredSearch:
    found = get_search(connection, id_)
    if found is None:
        raise not_found(f"search {id_}")
    return found


def _checked(service: Service, caller: Caller, asked: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request as it is stored, and its metric, after all checks, the cheap ones first."""
    with service.database.read() as connection:
        stored = checked_request(connection, asked)
        _within_limits(service, stored)
        _within_quota(connection, service, caller.id, trainings_of(stored))
    found = service.pool.call("check", config=config_of(stored, service.folder, service.settings))
    return stored, found["metric"]


def _within_limits(service: Service, asked: dict[str, Any]) -> None:
    most = service.settings.limits.trainings
    if trainings_of(asked) > most:
        raise unprocessable(f"a search may have {most:,} trainings at the most, got {trainings_of(asked):,}")


def _within_quota(connection: Connection, service: Service, owner: str, trainings: int) -> None:
    """429 if the owner has too many searches in the queue, or has asked for too many trainings within a day."""
    limits = service.settings.limits
    mine = searches.c.owner == owner
    waiting = connection.execute(
        select(func.count()).where(mine, searches.c.state.in_(("queued", "running")))
    ).scalar_one()
    if waiting >= limits.queue:
        raise too_many("quota-queue", f"{waiting} of your searches wait or run already", 60)
    spent, first = trainings_within_day(connection, owner)
    if spent + trainings > limits.daily_trainings:
        detail = f"{spent:,} of your {limits.daily_trainings:,} trainings within 24 hours are used, {trainings:,} more do not fit"
        raise too_many("quota-trainings", detail, ((first or now()) + DAY - now()) / 1000)


def _created(
    service: Service,
    caller: Caller,
    stored: dict[str, Any],
    metric: dict[str, Any],
    key: str | None,
    fingerprint: str,
) -> StoredSearch:
    """Store the search and its key together: of two requests at the same time, one creates it and the other finds it."""
    try:
        with service.database.write() as connection:
            for sha256 in lost_uploads(connection, stored):
                raise unprocessable(f"the upload {sha256} was deleted; upload it again")
            _within_quota(connection, service, caller.id, trainings_of(stored))
            id_ = add_search(connection, caller.id, stored, trainings_of(stored), metric)
            if key is not None:
                values = {"owner": caller.id, "key": key, "fingerprint": fingerprint, "search": id_, "created": now()}
                connection.execute(insert(idempotency).values(**values))
            return _again(connection, id_)
    except IntegrityError:
        found = _known(service, caller, key, fingerprint)
        if found is None:
            raise
        return found


def _known(service: Service, caller: Caller, key: str | None, fingerprint: str) -> StoredSearch | None:
    """The search that an earlier request with the same key created; 422 if that request had another body."""
    if key is None:
        return None
    with service.database.read() as connection:
        query = select(idempotency).where(idempotency.c.owner == caller.id, idempotency.c.key == key)
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.fingerprint != fingerprint:
            raise Problem(422, "key-reused", "this Idempotency-Key was used for another request; take a new one")
        return _again(connection, row.search)


def trainings_of(stored: dict[str, Any]) -> int:
    """The total of trainings of a request."""
    return int(stored.get("trainings", SearchRequest.model_fields["trainings"].default))
