"""Starts `nas serve` and `nas worker` as users do, ends them, and looks at their processes (Linux)."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.support.http_client import Client

START_SECONDS = 120.0
"""Longest time until a server answers."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class ServiceProcess:
    """A server or a worker that can be killed and started again with the same command.

    Attributes:
        verb: ``serve`` or ``worker``.
        data: the data folder.
        flags: further flags of the command.
        environment: variables that are added to those of this process.
        port: port of a server; it stays the same when the server is started again.
    """

    verb: str
    data: Path
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        """What the process and its children write to stderr, over all starts."""
        return self.data.parent / f"{self.data.name}-{self.verb}.log"

    @property
    def pid(self) -> int:
        """Number of the running process."""
        if self.process is None:
            raise RuntimeError("the process is not started")
        return self.process.pid

    def start(self) -> None:
        """Start the process without waiting until it is ready."""
        if self.verb == "serve" and not self.port:
            self.port = free_port()
        place = ["--port", str(self.port)] if self.verb == "serve" else []
        command = [sys.executable, "-m", "nas", self.verb, *place, "--data", str(self.data), *self.flags]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=log, env=os.environ | self.environment
            )

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def end(self) -> None:
        """Tell the process to stop, and wait for it."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    async def ready(self) -> None:
        """Wait until the server can work, and its call process too; `RuntimeError` with its log if it ends."""
        client, deadline = Client(self.port), time.monotonic() + START_SECONDS
        while True:
            try:
                answer = await client.ask("GET", "/v2/health/ready")
                if answer.status == 200:
                    break
            except OSError:
                await asyncio.sleep(0.05)
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")
        client.close()


@contextmanager
def serving(data: Path, *flags: str, **environment: str) -> Iterator[ServiceProcess]:
    """A server that is started, and ended with the block."""
    server = ServiceProcess("serve", data, flags, environment)
    server.start()
    try:
        yield server
    finally:
        server.end()


def free_port() -> int:
    """A port of the loopback address that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def children(pid: int, part: str) -> list[int]:
    """Child processes whose command line contains `part`."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            numbers = path.read_text().split()
        except OSError:
            continue
        found += [int(number) for number in numbers if part in _command(int(number))]
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def resident_megabytes(pid: int) -> float:
    """Memory of a process that is in RAM, in MB (10^6 bytes)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


def processor_seconds(pid: int) -> float:
    """Processor time of a process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_load() -> float:
    """Processes that want to run, mean over the last minute."""
    return os.getloadavg()[0]
