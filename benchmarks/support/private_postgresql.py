"""A private PostgreSQL server in a temporary folder. It listens on a socket only, and runs as another user if this one is root."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
"""Folders of installed versions; empty without PostgreSQL."""
NOBODY = 65534
START_SECONDS = 60.0
"""Longest time until the server answers."""
OPTIONS = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=100")


@dataclass
class PrivatePostgresql:
    """A cluster in a folder, and its server, which can be ended and started again."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="nas-pg-", dir="/tmp")))
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        """Address of the database that every cluster has."""
        return f"postgresql://nas@/postgres?host={self.folder}"

    def create(self) -> None:
        """Make the cluster."""
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        command = [str(BINARIES[-1] / "initdb"), "-D", str(self.folder / "data"), "-U", "nas", "-A", "trust"]
        subprocess.run(
            _as_other(*command, "-E", "UTF8"), check=True, capture_output=True, env=environment, cwd=self.folder
        )

    def start(self) -> None:
        """Start the server, and wait until it answers. After a kill the first attempts fail while its old processes end."""
        import psycopg

        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.process is None or self.process.poll() is not None:
                self.process = self._launched()
            try:
                psycopg.connect(self.address, connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _launched(self) -> "subprocess.Popen[bytes]":
        place = ("-D", str(self.folder / "data"), "-k", str(self.folder))
        command = _as_other(str(BINARIES[-1] / "postgres"), *place, *OPTIONS)
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, env=os.environ | {"LC_ALL": "C"})

    def end(self, number: int = signal.SIGINT) -> None:
        """Send a signal to the server, and wait for its end. SIGINT closes all connections; SIGKILL is a crash."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)

    def database(self, name: str) -> str:
        """Make an empty database; returns its address."""
        import psycopg

        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return self.address.replace("/postgres?", f"/{name}?")


@contextmanager
def private_postgresql() -> Iterator[PrivatePostgresql]:
    """A running server, which is removed with its folder at the end."""
    server = PrivatePostgresql()
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.end()
        shutil.rmtree(server.folder, ignore_errors=True)


def _as_other(*command: str) -> list[str]:
    """PostgreSQL does not run as root."""
    other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    return [*other, *command]
