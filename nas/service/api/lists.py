"""``/v1/tasks``, ``/v1/spaces`` and other lists of names, for forms."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from nas.service.security.access import Reader
from nas.service.service import service_of

router = APIRouter(prefix="/v1", tags=["lists"])


class Names(BaseModel):
    """Names with their origin and meaning; some kinds have further columns."""

    items: list[dict[str, str]] = Field(
        examples=[[{"name": "digits", "origin": "nas", "meaning": "8×8 images of digits"}]],
        description="each has `name`, `origin` and `meaning`",
    )


def names(request: Request, kind: str) -> Names:
    """The names of a kind, remembered. A call process lists them, because that imports torch."""
    service = service_of(request)
    if kind not in service.names:
        service.names[kind] = service.pool.call("names", kind=kind)
    return Names(items=service.names[kind])


@router.get("/tasks", summary="List the tasks", operation_id="list_tasks")
def tasks(request: Request, caller: Reader) -> Names:
    """Tasks that a search can name; uploaded data sets are listed by `GET /v1/datasets`."""
    return names(request, "tasks")


@router.get("/spaces", summary="List the search spaces", operation_id="list_spaces")
def spaces(request: Request, caller: Reader) -> Names:
    """Spaces with their options; several are joined by `+`."""
    return names(request, "spaces")


@router.get("/methods", summary="List the mask methods", operation_id="list_methods")
def methods(request: Request, caller: Reader) -> Names:
    """How mask and weights are trained together."""
    return names(request, "methods")


@router.get("/strategies", summary="List the strategies", operation_id="list_strategies")
def strategies(request: Request, caller: Reader) -> Names:
    """How candidates are proposed."""
    return names(request, "strategies")


@router.get("/predictors", summary="List the predictors", operation_id="list_predictors")
def predictors(request: Request, caller: Reader) -> Names:
    """What scores candidates before they are trained."""
    return names(request, "predictors")


@router.get("/metrics", summary="List metrics and costs", operation_id="list_metrics")
def metrics(request: Request, caller: Reader) -> Names:
    """What objectives and constraints can name, with units."""
    return names(request, "metrics")
