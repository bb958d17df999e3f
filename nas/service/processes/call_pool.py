"""A few call processes: each call has limits of memory and time, and a process that dies or hangs is replaced."""

import json
import logging
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas.service.problems import Problem, unavailable
from nas.service.processes.launch import launch, stop
from nas.service.processes.lines import Lines
from nas.service.settings import Limits

log = logging.getLogger(__name__)

MODULE = "nas.service.processes.call_process"
START_SECONDS = 120.0
"""Longest time until a new process is ready: it imports torch."""
CALLS_EACH = 2000
"""Calls after which a process is replaced, so that no leak grows for ever."""


class CallPool:
    """Processes for calls. Threads may call at the same time; they wait for each other in a short queue."""

    def __init__(self, size: int, folder: Path, limits: Limits, *, idle: float | None = None) -> None:
        """No process is started yet. `idle`: seconds without a call after which the processes end; None: they stay."""
        self._limits, self._folder, self._idle = limits, folder, idle
        self._timer: threading.Timer | None = None
        self._free: list[_Process] = [_Process(folder, limits) for _ in range(size)]
        self._changed = threading.Condition()
        self._waiting = 0
        self._closed = False
        self.restarts = 0

    def warm(self) -> None:
        """Start all processes without waiting for them."""
        with self._changed:
            for process in self._free:
                process.start()

    def call(self, name: str, **arguments: Any) -> Any:
        """The answer to a call.

        Raises:
            Problem: 422 if the call asks for something that is not possible, 503 if all processes are busy or the machine has a fault.
        """
        with self._process() as process:
            try:
                message = process.ask({"call": name, **arguments}, self._limits.call_seconds)
            except (OSError, ValueError) as error:
                self.restarts += 1
                process.stop()
                log.warning("a call process ended during %s: %s", name, error)
                raise unprocessable_call(name) from error
            if message.get("tired"):
                process.stop()
        if "error" in message:
            raise problem_of(message["error"])
        return message["answer"]

    @contextmanager
    def _process(self) -> Iterator["_Process"]:
        """A free process; 503 if too many calls wait already."""
        with self._changed:
            if self._closed or self._waiting >= self._limits.waiting_calls:
                raise unavailable("busy", "too many predictions and checks are waiting; try again later", 5)
            self._waiting += 1
            try:
                found = self._changed.wait_for(lambda: bool(self._free) or self._closed, self._limits.call_seconds)
            finally:
                self._waiting -= 1
            if not found or self._closed:
                raise unavailable("busy", "no process became free in time; try again later", 10)
            process = self._free.pop()
            if self._timer is not None:
                self._timer.cancel()
        try:
            yield process
        finally:
            with self._changed:
                self._free.append(process)
                self._changed.notify()
                self._end_when_idle()
            if self._closed:
                process.stop()

    def _end_when_idle(self) -> None:
        """End the processes later, unless a call comes before. They start again with the next call."""
        if self._idle is None or self._closed:
            return
        self._timer = threading.Timer(self._idle, self._end_free)
        self._timer.daemon = True
        self._timer.start()

    def _end_free(self) -> None:
        with self._changed:
            for process in self._free:
                process.stop()

    def close(self) -> None:
        """End all processes."""
        with self._changed:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            self._changed.notify_all()
            for process in self._free:
                process.stop()


class _Process:
    """One process, which is started when it is needed."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._child: subprocess.Popen[bytes] | None = None
        self._lines: Lines | None = None
        self._ready = False
        self._calls = 0

    def start(self) -> None:
        """Start the process if it does not run."""
        if self._child is not None and self._child.poll() is None:
            return
        self.stop()
        self._child = launch(MODULE, self._folder)
        self._lines, self._ready, self._calls = Lines(self._child), False, 0
        self._send({"memory": self._limits.call_memory})

    def ask(self, call: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer; `OSError` or `ValueError` if the process dies, or does not answer in time."""
        if self._calls >= CALLS_EACH:
            self.stop()
        self.start()
        if not self._ready:
            self._receive(START_SECONDS)
            self._ready = True
        self._calls += 1
        self._send(call)
        return self._receive(seconds)

    def stop(self) -> None:
        """End the process."""
        if self._child is not None:
            stop(self._child)
        self._child = self._lines = None

    def _send(self, message: dict[str, Any]) -> None:
        if self._child is None or self._child.stdin is None:
            raise OSError("the process is not running")
        self._child.stdin.write(json.dumps(message).encode() + b"\n")
        self._child.stdin.flush()

    def _receive(self, seconds: float) -> dict[str, Any]:
        if self._lines is None:
            raise OSError("the process is not running")
        message = self._lines.next(seconds)
        if message is None:
            raise OSError("it died" if self._lines.ended else f"no answer within {seconds:g} s")
        return message


def unprocessable_call(name: str) -> Problem:
    """The problem of a call whose process died or took too long."""
    subject = {"infer": "the inference", "predict": "the prediction"}.get(name, "the check")
    return Problem(422, "too-expensive", f"{subject} took more time or memory than is allowed; send something smaller")


def problem_of(error: dict[str, Any]) -> Problem:
    """The problem for an error that a child process described."""
    kind, detail = str(error.get("kind")), str(error.get("detail"))
    if kind in ("usage", "unsupported"):
        return Problem(422, "unprocessable" if kind == "usage" else "unsupported", detail)
    if kind == "memory":
        return Problem(422, "too-expensive", detail)
    if kind in ("disk", "machine", "busy"):
        return unavailable("machine", detail)
    return Problem(500, "internal", detail)
