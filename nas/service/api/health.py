"""``/v2/health/live`` and ``/v2/health/ready``: is the process there, and can it work? They need no token."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from nas.service.problems import Problem
from nas.service.service import Service, service_of

router = APIRouter(prefix="/v2", tags=["health"])


class Live(BaseModel):
    """The process answers."""

    live: bool = Field(examples=[True])


class Ready(BaseModel):
    """Whether the service can work."""

    ready: bool = Field(examples=[True])


@router.get("/health/live", summary="Is the process there?", operation_id="live")
async def live() -> Live:
    """Always true."""
    return Live(live=True)


@router.get("/health/ready", summary="Can the service work?", operation_id="ready")
def ready(request: Request) -> Ready:
    """Whether the database answers and the data folder can be written; 503 with the reason if not."""
    reason = fault(service_of(request))
    if reason:
        raise Problem(503, "not-ready", reason, headers={"retry-after": "5"})
    return Ready(ready=True)


def fault(service: Service) -> str:
    """Why the service cannot work; empty if it can."""
    try:
        with service.database.read() as connection:
            connection.execute(text("SELECT count(*) FROM searches WHERE state = 'queued'"))
    except SQLAlchemyError:
        return "the database cannot be reached"
    return service.folder.fault()
