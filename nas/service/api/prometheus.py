"""``/metrics``: figures for Prometheus. They need a token where the API does."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from nas.service.security.access import Reader
from nas.service.service import service_of
from nas.service.store.search_store import counts_by_state

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    operation_id="prometheus",
    response_class=Response,
    responses={200: {"description": "the figures", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def figures(request: Request, caller: Reader) -> Response:
    """Requests, searches by state, predictions, free disk space."""
    service = service_of(request)
    with service.database.read() as connection:
        searches = counts_by_state(connection)
    restarts = service.pool.restarts + service.dry_runs.restarts
    text = service.metrics.text(searches, free=service.folder.free(), restarts=restarts)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
