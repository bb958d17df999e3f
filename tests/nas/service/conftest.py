"""A real server in a process of its own, as users start it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.support.small_search import SMALL as TINY

ADDRESS = re.compile(r"serving on (http://\S+)/ ")


@dataclass
class Running:
    """A running server: its process, its address, a client, the file with its stderr, its data folder."""

    process: "subprocess.Popen[bytes]"
    address: str
    client: httpx.Client
    log: Path
    data: Path

    def wait(self, id_: str, *states: str, seconds: float = 300.0) -> dict[str, Any]:
        """The search as soon as it is in one of the states (default: it has ended)."""
        wanted = states or ("done", "failed", "cancelled")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.client.get(f"/v1/searches/{id_}").json()
            if found["state"] in wanted:
                return found
            time.sleep(0.2)
        raise AssertionError(f"the search did not become {wanted}: {found}")

    def events(self, id_: str, last: int = 0) -> list[tuple[int, str, str]]:
        """Number, kind and data of all events of a search that has ended."""
        text = self.client.get(f"/v1/searches/{id_}/events", headers={"last-event-id": str(last)}).text
        return [(int(n), kind, data) for n, kind, data in re.findall(r"id: (\d+)\nevent: (\w+)\ndata: (.*)\n", text)]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal to the server; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


Serve = Callable[..., Running]


def start(data: Path, *flags: str, stack: ExitStack, **client: Any) -> Running:
    """Start a server on a free port, and wait until it answers."""
    log = data.parent / f"{data.name}-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "nas", "serve", "--port", "0", "--data", str(data), *flags]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=os.environ | {"TMPDIR": "/tmp"}
        )
    stack.callback(_end, process)
    deadline = time.monotonic() + 120
    while (found := ADDRESS.search(log.read_text())) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the server did not start: {log.read_text()}")
        time.sleep(0.05)
    session = stack.enter_context(httpx.Client(base_url=found[1], timeout=300, trust_env=False, **client))
    return Running(process, found[1], session, log, data)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(data_folder, *flags)`: a server for one test."""
    with ExitStack() as stack:
        yield lambda data, *flags, **client: start(data, *flags, stack=stack, **client)


@pytest.fixture(scope="module")
def serve_all() -> Iterator[Serve]:
    """Like `serve`, for all tests of a file."""
    with ExitStack() as stack:
        yield lambda data, *flags, **client: start(data, *flags, stack=stack, **client)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server for all tests of a file."""
    with ExitStack() as stack:
        yield start(tmp_path_factory.mktemp("service") / "data", stack=stack)


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """The body of a search of seconds."""
    return dict(TINY)


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sparse perceptron for digits."""
    import numpy as np

    import onnx_graph
    import search_spaces

    space = search_spaces.create("mlp", search_spaces.Signature(input_shape=(1, 8, 8), outputs=10))
    path = tmp_path_factory.mktemp("models") / "model.onnx"
    onnx_graph.save(space.build(space.sample(np.random.default_rng(0))), path)
    return path
