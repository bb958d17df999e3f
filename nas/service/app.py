"""Makes the ASGI application of the service."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from nas.service.api import (
    artifacts,
    datasets,
    documents,
    events,
    health,
    inference,
    lists,
    models,
    network,
    prometheus,
    searches,
    trials,
)
from nas.service.data_folder import DataFolder
from nas.service.errors import install
from nas.service.metrics import Metrics
from nas.service.openapi import document
from nas.service.predictions import Predictions
from nas.service.processes.call_pool import CallPool
from nas.service.removals import finish_all
from nas.service.security.access import Access
from nas.service.security.guard import Guard
from nas.service.security.hosts import Hosts
from nas.service.service import Service
from nas.service.settings import Settings
from nas.service.store.database import Database
from nas.service.store.migration import upgrade
from nas.service.worker import Worker

WAITING_DRY_RUNS = 4
"""Dry runs that may wait: each of them holds one of the threads that answer all requests."""
IDLE_SECONDS = 600.0
"""Seconds without a dry run after which their process ends and gives its memory back."""
PAGE = Path(__file__).with_name("page")
ROUTERS = (
    searches,
    events,
    trials,
    artifacts,
    network,
    models,
    datasets,
    lists,
    inference,
    health,
    prometheus,
    documents,
)
TAGS = [
    {"name": "searches", "description": "Searches under a budget, their trials and files."},
    {"name": "models", "description": "Uploaded ONNX files, and predictions of their accuracy."},
    {"name": "datasets", "description": "Uploaded data sets, which searches and predictions take as their task."},
    {"name": "lists", "description": "Names that searches and predictions can use."},
    {"name": "inference", "description": "Winners answer by the Open Inference Protocol."},
    {"name": "health", "description": "Whether the service works."},
]


class App(FastAPI):
    """FastAPI with our OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        """The document, with problems."""
        return document(self)


class PageFiles(StaticFiles):
    """The files of the page, always whole: they are small, and the framework answers a wrong range with an error that is no problem."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as if no range had been asked for, which RFC 9110 allows."""
        kept = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
        await super().__call__({**scope, "headers": kept}, receive, send)


def prepare(settings: Settings) -> Database:
    """Make the data folder, and the tables of the database.

    Raises:
        OSError: the data folder cannot be made.
        SQLAlchemyError: the database cannot be reached.
        RuntimeError: the database is of a newer version.
    """
    DataFolder(settings.data).create()
    database = Database(settings.database_url)
    upgrade(database)
    return database


def create_app(settings: Settings, database: Database | None = None) -> FastAPI:
    """The application. Its worker and its processes start with it, and end with it."""
    database = database or prepare(settings)
    folder = DataFolder(settings.data)
    pool = CallPool(settings.callers, folder.path, settings.limits)
    service = Service(
        settings=settings,
        database=database,
        folder=folder,
        pool=pool,
        dry_runs=CallPool(1, folder.path, replace(settings.limits, waiting_calls=WAITING_DRY_RUNS), idle=IDLE_SECONDS),
        predictions=Predictions(database, folder, pool),
        metrics=Metrics(),
    )
    app = App(title="nas", lifespan=_lifespan, docs_url=None, redoc_url=None, openapi_tags=TAGS)
    app.state.service, app.state.open_without_tokens = service, settings.open_without_tokens
    app.state.access = Access(database, open_without_tokens=settings.open_without_tokens, rate=settings.limits.rate)
    install(app)
    for module in ROUTERS:
        app.include_router(module.router)
    app.mount("/", PageFiles(directory=PAGE, html=True), name="page")
    app.add_middleware(
        Guard,
        hosts=Hosts(settings.allowed_hosts, loopback=settings.loopback),
        limits=settings.limits,
        root_path=settings.root_path,
        observe=service.metrics.request,
    )
    return app


def openapi_text(settings: Settings) -> str:
    """The OpenAPI document as JSON."""
    return json.dumps(create_app(settings).openapi(), indent=1)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    await run_in_threadpool(finish_all, service.database, service.folder)
    worker = Worker(service.database, service.folder, service.settings)
    worker.start()
    service.pool.warm()
    try:
        yield
    finally:
        worker.stop()
        service.pool.close()
        service.dry_runs.close()
        service.database.close()
