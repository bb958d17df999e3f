"""``/v1/searches/{id}/trials``, ``/front``, and the learning curve and the log of every trial."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from nas.service import cursor as cursors
from nas.service.api.searches import Id, known_search
from nas.service.clock import iso
from nas.service.problems import not_found
from nas.service.searches.trial_table import curve_of, front_of, report_of, trials_of
from nas.service.security.access import Reader
from nas.service.service import Service, service_of
from nas.service.store.search_store import StoredEvent, events_after

router = APIRouter(prefix="/v1", tags=["searches"])

PAUSE = 0.5
"""Seconds between two looks at a trial that is not finished."""
ALL = 1_000_000
NUMBER = re.compile(r"[0-9]{1,9}")
Number = Annotated[int, Path(ge=0, le=10**9, examples=[0], description="number of a trial, from 0")]


class Trials(BaseModel):
    """One page of trials, in the order in which they were recorded."""

    items: list[dict[str, Any]] = Field(
        description="number, round, repeat, way, digest, accuracy, score, nnz, params, seconds, error, candidate, …",
        examples=[[{"number": 0, "round": 0, "way": "reference", "accuracy": 0.93, "score": 0.91, "nnz": 298}]],
    )
    next: str | None


class Curve(BaseModel):
    """What a training reached after each of its epochs; null stands for a number that is not finite."""

    losses: list[float | None] = Field(description="mean training loss", examples=[[2.1, 1.4, 0.9]])
    accuracies: list[float | None] = Field(
        description="metric of the search on the validation split", examples=[[0.31, 0.66, 0.81]]
    )


class TrialDetails(BaseModel):
    """A finished trial."""

    trial: dict[str, Any] = Field(
        description="as in the list of trials",
        examples=[{"number": 0, "round": 0, "way": "reference", "accuracy": 0.81, "score": 0.78, "nnz": 298}],
    )
    curve: Curve | None = Field(
        description="null if the training ended with an error, was looked up, or is of an older version"
    )


class Front(BaseModel):
    """The Pareto front."""

    state: Literal["final", "so far"] = Field(description="whether the search is done")
    items: list[dict[str, Any]] = Field(
        description="the candidates that no other one beats in all objectives, the most accurate first",
        examples=[[{"digest": "abc", "accuracy": 0.93, "nnz": 298}]],
    )


@router.get("/searches/{id:search}/trials", summary="List the trainings of a search", operation_id="list_trials")
def trials(
    request: Request,
    caller: Reader,
    id: Id,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Trials:
    """One page of trials; a trial appears when its round has ended."""
    service = service_of(request)
    known_search(service, id)
    last = cursors.decode(cursor, NUMBER)
    first = 0 if last is None else int(last) + 1
    found = trials_of(service.folder, id)[first : first + limit + 1]
    more = len(found) > limit
    return Trials(items=found[:limit], next=cursors.encode(str(first + limit - 1)) if more else None)


@router.get("/searches/{id:search}/trials/{number}", summary="Show a training of a search", operation_id="get_trial")
def trial(request: Request, caller: Reader, id: Id, number: Number) -> TrialDetails:
    """A finished trial with its learning curve: loss and metric by epoch."""
    service = service_of(request)
    known_search(service, id)
    found = trials_of(service.folder, id)
    if number >= len(found):
        raise not_found(f"trial {number} of search {id} (yet)")
    curve = curve_of(service.folder, id, found[number])
    return TrialDetails(trial=found[number], curve=None if curve is None else Curve(**vars(curve)))


@router.get("/searches/{id:search}/front", summary="Show the Pareto front of a search", operation_id="get_front")
def front(request: Request, caller: Reader, id: Id) -> Front:
    """The front in the report if the search is done, else that of the finished trials."""
    service = service_of(request)
    search = known_search(service, id)
    report = report_of(service.folder, id) if search.state == "done" else None
    if report is not None:
        return Front(state="final", items=report["front"])
    objectives = search.request.get("objective", ["accuracy"])
    metric = {} if search.metric is None else {"metric": search.metric["name"], "goal": search.metric["goal"]}
    return Front(state="so far", items=front_of(trials_of(service.folder, id), objectives, **metric))


@router.get(
    "/searches/{id:search}/trials/{number}/log",
    summary="Read what happened to a trial",
    operation_id="get_trial_log",
    response_class=StreamingResponse,
    responses={200: {"description": "lines of text", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def log(
    request: Request,
    caller: Reader,
    id: Id,
    number: Number,
    follow: Annotated[Literal["0", "1"], Query(description="1 waits for the end of the trial")] = "0",
) -> StreamingResponse:
    """The events of the trial's round, then its epochs and its result. With `follow=1` the answer ends when the trial does."""
    service = service_of(request)
    search = await run_in_threadpool(known_search, service, id)
    _, trial, ended = await run_in_threadpool(_look, service, id, number, 0)
    if trial is None and (ended or follow == "0" or number >= search.trainings * 4):
        raise not_found(f"trial {number} of search {id} (yet)")
    return StreamingResponse(_lines(service, id, number), media_type="text/plain; charset=utf-8")


async def _lines(service: Service, id_: str, number: int) -> AsyncIterator[str]:
    """Lines of the log; waits for the trial."""
    last = 0
    pending: list[StoredEvent] = []
    while True:
        events, trial, ended = await run_in_threadpool(_look, service, id_, number, last)
        last = events[-1].number if events else last
        pending += events
        if trial is not None:
            pending = _of_round(pending, trial["round"])
        for line in _told(pending):
            yield line
        pending = []
        if trial is not None:
            for line in await run_in_threadpool(_epochs, service, id_, trial):
                yield line
            yield json.dumps({"trial": number} | trial) + "\n"
            return
        if ended or service.stopping.is_set():
            return
        await asyncio.sleep(PAUSE)


def _look(service: Service, id_: str, number: int, last: int) -> tuple[list[StoredEvent], dict[str, Any] | None, bool]:
    """New events, the trial if it is finished, and whether the search had ended before."""
    ended = known_search(service, id_).ended
    found = trials_of(service.folder, id_)
    with service.database.read() as connection:
        events = events_after(connection, id_, last, ALL)
    return events, found[number] if number < len(found) else None, ended


def _epochs(service: Service, id_: str, trial: dict[str, Any]) -> list[str]:
    """One line for each epoch of a finished trial."""
    curve = curve_of(service.folder, id_, trial)
    pairs = [] if curve is None else zip(curve.losses, curve.accuracies, strict=False)
    return [
        json.dumps({"epoch": epoch, "loss": loss, "accuracy": accuracy}) + "\n"
        for epoch, (loss, accuracy) in enumerate(pairs, 1)
    ]


def _of_round(events: list[StoredEvent], round_: int) -> list[StoredEvent]:
    """The events until the round's end, without those of other rounds."""
    last = max((event.number for event in events if event.data.get("round") == round_), default=0)
    return [event for event in events if event.number <= last and event.data.get("round", round_) == round_]


def _told(events: list[StoredEvent]) -> Iterator[str]:
    for event in events:
        yield f"{iso(event.at)} {event.kind} {json.dumps(event.data)}\n"
