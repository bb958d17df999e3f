"""A search as the API shows it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nas.service.clock import iso
from nas.service.store.search_store import State, StoredSearch

EXAMPLE: dict[str, Any] = {
    "id": "019b2f0c8a10aabbccddee",
    "state": "running",
    "request": {"task": "digits", "constraint": ["nnz<=300"], "trainings": 12, "seed": 1},
    "files": {},
    "owner": "local",
    "trainings": 12,
    "created": "2026-05-01T12:00:00.000Z",
    "started": "2026-05-01T12:00:01.000Z",
    "finished": None,
    "attempt": 1,
    "cancelling": False,
    "progress": {"round": 1, "trainings": 8.0, "budget": 12, "best": 0.91, "best_nnz": 298, "left": 20.0},
    "metric": {"name": "accuracy", "goal": "maximize", "unit": "%"},
    "result": None,
    "error": None,
    "links": {"self": "/v1/searches/019b2f0c8a10aabbccddee", "events": "/v1/searches/019b2f0c8a10aabbccddee/events"},
}


class ErrorShown(BaseModel):
    """Why a search failed."""

    kind: str = Field(
        description="usage, unsupported, memory, disk, machine, run, time, died or bug", examples=["memory"]
    )
    detail: str = Field(description="what happened, and the remedy if there is one")


class MetricShown(BaseModel):
    """The metric of a search: what its trainings measure, and what progress, trials and result tell as `accuracy`."""

    name: str = Field(examples=["accuracy"])
    goal: Literal["maximize", "minimize"] = Field(description="whether more or less is better")
    unit: str = Field(description="`%` for a share from 0 to 1, which people read in per cent", examples=["%"])


class SearchResource(BaseModel):
    """A search."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: str
    state: State = Field(description="queued, running, done, failed or cancelled")
    request: dict[str, Any] = Field(description="the options that the request set")
    files: dict[str, str] = Field(description="names of the uploads in the request, by option: `task`, `model`")
    owner: str = Field(description="id of the token that asked for it, or `local`")
    trainings: int = Field(description="total number of trainings")
    created: str = Field(description="time of the request, ISO 8601 in UTC")
    started: str | None = Field(description="time at which a worker last began it")
    finished: str | None = Field(description="time at which it ended")
    attempt: int = Field(description="how often a worker has begun it; more than 1 after a restart")
    cancelling: bool = Field(description="whether it will be cancelled")
    progress: dict[str, Any] | None = Field(description="the last progress: round, trainings, budget, best, left, …")
    metric: MetricShown | None = Field(description="its metric; null for a search of an older version")
    result: dict[str, Any] | None = Field(description="the winner: test metric, 95 % interval, nnz, bytes, latency")
    error: ErrorShown | None = Field(description="why it failed")
    links: dict[str, str] = Field(description="addresses of its parts")


class SearchPage(BaseModel):
    """One page of searches, the newest first."""

    items: list[SearchResource]
    next: str | None = Field(description="the `cursor` of the next page; null on the last one")


def resource(search: StoredSearch, root: str = "") -> SearchResource:
    """The resource of a search; `root` is the prefix of the service."""
    here = f"{root}/v1/searches/{search.id}"
    parts = ("events", "trials", "front", "artifacts")
    return SearchResource(
        id=search.id,
        state=search.state,
        request={name: value for name, value in search.request.items() if name != "uploads"},
        files=_files(search),
        owner=search.owner,
        trainings=search.trainings,
        created=iso(search.created) or "",
        started=iso(search.started),
        finished=iso(search.finished),
        attempt=search.attempt,
        cancelling=search.cancel and not search.ended,
        progress=None if search.progress is None else dict(search.progress),
        metric=None if search.metric is None else MetricShown(**search.metric),
        result=None if search.result is None else dict(search.result),
        error=None if search.error is None else ErrorShown(**search.error),
        links={"self": here} | {part: f"{here}/{part}" for part in parts},
    )


def _files(search: StoredSearch) -> dict[str, str]:
    """The names of the uploads, as the files of the run tell them."""
    uploads = search.request.get("uploads", {})
    names = {option: uploads.get(f"{option}_name") for option in ("task", "model")}
    return {option: name for option, name in names.items() if name}
