"""Runs a server or a worker in this process until it is told to stop."""

import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from nas.errors import RunError, UsageError
from nas.service.app import create_app, prepare
from nas.service.clock import now
from nas.service.data_folder import DataFolder
from nas.service.security.tokens import list_tokens
from nas.service.settings import Settings
from nas.service.store.database import Database
from nas.service.worker import Worker

BACKLOG = 1024
CONNECTIONS = 1000
"""Most connections at the same time; more are answered with 503."""
PARTING = 3
"""Seconds that open connections get at the end."""


def serve(settings: Settings, on_address: Callable[[str], None]) -> None:
    """Answer requests until SIGINT or SIGTERM.

    Args:
        settings: settings of the server.
        on_address: called with the address, once connections are accepted.

    Raises:
        UsageError: the address is not allowed without a token, or cannot be used.
    """
    import uvicorn

    class Server(uvicorn.Server):
        """Uvicorn, which ends streams of events when it is told to stop."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """Begin to end."""
            app.state.service.stopping.set()
            super().handle_exit(sig, frame)

    database = opened(settings)
    require_token(settings, database)
    listener = _listener(settings)
    host, port = listener.getsockname()[:2]
    app = create_app(settings, database)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=PARTING,
        timeout_keep_alive=15,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn has handlers of its own, and calls these at the end
    on_address(f"http://{f'[{host}]' if ':' in host else host}:{port}{settings.root_path}/")
    Server(config).run(sockets=[listener])


def work(settings: Settings) -> None:
    """Run searches of the queue until SIGINT or SIGTERM; errors as in `opened`."""
    database = opened(settings)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    worker = Worker(database, DataFolder(settings.data), settings)
    worker.start()
    ended.wait()
    worker.stop()
    database.close()


def opened(settings: Settings) -> Database:
    """The database with the tables of this version. The errors never hold the address, which may contain a password.

    Raises:
        UsageError: a database of another kind.
        RunError: the database cannot be reached, or is of a newer version.
        OSError: the data folder cannot be made.
    """
    scheme = settings.database_url.partition(":")[0]
    if scheme not in ("sqlite", "postgresql+psycopg"):
        raise UsageError(f"--database must begin with postgresql://, got {scheme[:40]!r}")
    try:
        return prepare(settings)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).partition("\n")[0]
        raise RunError(f"the database cannot be used: {reason}; is it running, and is the address right?") from None
    except RuntimeError as error:
        raise RunError(str(error)) from error


def require_token(settings: Settings, database: Database) -> None:
    """`UsageError` if the service needs a token, and there is no valid one."""
    if settings.open_without_tokens:
        return
    with database.read() as connection:
        if any(token.valid(now()) for token in list_tokens(connection)):
            return
    if settings.loopback:
        raise UsageError("--require-token: there is no token yet; make one with `nas token create`")
    raise UsageError(
        f"{settings.host} can be reached from other machines, and there is no token yet: make one with `nas token create`, "
        "or listen on 127.0.0.1"
    )


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        found = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        raise UsageError(f"cannot listen on {place}: {error.strerror}; choose another --port or --host") from error
    # Connections inherit this. An answer is written in two parts: without it the second one waits 40 ms for an acknowledgement.
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found
