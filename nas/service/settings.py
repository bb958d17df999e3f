"""Settings of a server or a worker: where its data is, what it listens to, and its limits."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

MIB, GIB = 1 << 20, 1 << 30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the service. Sizes are in bytes, times in seconds. "Owner" is the token that sends a request.

    Attributes:
        body: size of a JSON request.
        model: size of an uploaded ONNX file.
        dataset: size of an uploaded data set.
        stored: sum of the sizes of all uploads of an owner.
        trainings: trainings of one search.
        daily_trainings: trainings that an owner can ask for within 24 hours.
        queue: searches of an owner that wait or run.
        rate: requests of an owner per second, averaged over a few seconds.
        silence: time between two parts of a request body, after which the request is refused.
        search_memory: memory that the process of a search may add to what its libraries take.
        search_seconds: time of one search in one process.
        call_memory: memory that a prediction or a check may add to what its libraries take.
        call_seconds: time of a prediction or a check.
        waiting_calls: predictions and checks that may wait for a free process.
    """

    body: int = MIB
    model: int = 64 * MIB
    dataset: int = 512 * MIB
    stored: int = 8 * GIB
    trainings: int = 1000
    daily_trainings: int = 10_000
    queue: int = 100
    rate: float = 1000.0
    silence: float = 30.0
    search_memory: int = 8 * GIB
    search_seconds: float = 7 * 24 * 3600.0
    call_memory: int = 2 * GIB
    call_seconds: float = 60.0
    waiting_calls: int = 32


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one server or worker process.

    Attributes:
        data: folder of all files of the service: uploads, runs, and the database if it is SQLite.
        database: address of the database; None means SQLite in the data folder.
        host: address to listen to.
        port: TCP port; 0 takes a free one.
        root_path: prefix under which a proxy publishes the service, such as ``/nas``; empty without a proxy.
        require_token: whether every request needs a token, also on loopback before the first token is made.
        allowed_hosts: further host names under which the service may be called.
        searches: searches that run at the same time on this machine; 0 for a server that only answers.
        callers: processes for predictions and checks.
        lease: seconds without a heartbeat after which the search of another worker is taken over.
        limits: limits of requests and processes.
    """

    data: Path
    database: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    root_path: str = ""
    require_token: bool = False
    allowed_hosts: tuple[str, ...] = ()
    searches: int = 1
    callers: int = 1
    lease: float = 30.0
    limits: Limits = field(default_factory=Limits)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def open_without_tokens(self) -> bool:
        """Whether requests need no token as long as none was ever made."""
        return self.loopback and not self.require_token

    @property
    def database_url(self) -> str:
        """Address of the database in the form that SQLAlchemy expects."""
        if self.database is None:
            return f"sqlite:///{self.data / 'service.sqlite3'}"
        scheme, mark, rest = self.database.partition("://")
        if mark and scheme in ("postgres", "postgresql"):
            return f"postgresql+psycopg://{rest}"
        return self.database
