"""The parts of a running server, which the operations of the API use."""

from dataclasses import dataclass, field

from fastapi import Request

from nas.service.data_folder import DataFolder
from nas.service.metrics import Metrics
from nas.service.predictions import Predictions
from nas.service.processes.call_pool import CallPool
from nas.service.settings import Settings
from nas.service.store.database import Database


@dataclass(frozen=True, kw_only=True, eq=False)
class Service:
    """Settings, database, data folder, call processes, the memory of predictions, what is counted, and the lists of names by kind."""

    settings: Settings
    database: Database
    folder: DataFolder
    pool: CallPool
    predictions: Predictions
    metrics: Metrics
    names: dict[str, list[dict[str, str]]] = field(default_factory=dict)


def service_of(request: Request) -> Service:
    """The service that a request is sent to."""
    found: Service = request.app.state.service
    return found
