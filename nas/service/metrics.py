"""What Prometheus reads at ``/metrics``."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

STATES = ("queued", "running", "done", "failed", "cancelled")


class Metrics:
    """Counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        """All counters are zero."""
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("nas_requests", "Requests by route and status", labels, registry=self.registry)
        self._seconds = Histogram(
            "nas_request_seconds", "Seconds of a request", ("method", "route"), registry=self.registry
        )
        self._searches = Gauge("nas_searches", "Searches by state", ("state",), registry=self.registry)
        self._free = Gauge("nas_free_bytes", "Free bytes of the data folder's file system", registry=self.registry)
        self._restarts = Gauge("nas_call_process_restarts", "Call processes that died or hung", registry=self.registry)
        self.predictions = Counter("nas_predictions", "Predictions by origin", ("origin",), registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self, searches: Mapping[str, int], *, free: int, restarts: int) -> bytes:
        """All figures in the text format of Prometheus."""
        for state in STATES:
            self._searches.labels(state).set(searches.get(state, 0))
        self._free.set(free)
        self._restarts.set(restarts)
        return generate_latest(self.registry)
