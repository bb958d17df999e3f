"""The parts of a running server, which the operations of the API use."""

from dataclasses import dataclass, field
from threading import Event

from fastapi import Request

from nas.service.data_folder import DataFolder
from nas.service.metrics import Metrics
from nas.service.predictions import Predictions
from nas.service.processes.call_pool import CallPool
from nas.service.settings import Settings
from nas.service.store.database import Database


@dataclass(frozen=True, kw_only=True, eq=False)
class Service:
    """The parts.

    Attributes:
        settings: settings of the server.
        database: connections to the database.
        folder: paths of the data folder.
        pool: processes for predictions and checks.
        dry_runs: a process for dry runs, which take long; it starts with the first one.
        predictions: answers that are remembered.
        metrics: what is counted for Prometheus.
        names: lists of names by kind, remembered.
        stopping: set when the server begins to end.
    """

    settings: Settings
    database: Database
    folder: DataFolder
    pool: CallPool
    dry_runs: CallPool
    predictions: Predictions
    metrics: Metrics
    names: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    stopping: Event = field(default_factory=Event)


def service_of(request: Request) -> Service:
    """The service that a request is sent to."""
    found: Service = request.app.state.service
    return found
