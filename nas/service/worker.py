"""Takes searches from the queue and runs each in a process of its own, under limits of memory and time.

The worker writes the states and events of its searches. If it ends, by whatever cause, the processes of its searches end too, and the
next worker goes on where they stopped.
"""

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import DBAPIError

from nas.service.data_folder import DataFolder
from nas.service.holder import Holder
from nas.service.processes.launch import launch, stop
from nas.service.processes.lines import Lines
from nas.service.searches.search_config import run_config
from nas.service.settings import Settings
from nas.service.store import queue_store as queue
from nas.service.store.database import Database
from nas.service.store.search_store import StoredSearch, get_search

log = logging.getLogger(__name__)

MODULE = "nas.service.processes.search_process"
IDLE = 0.5
"""Seconds between two looks into the queue."""
MOST_DEATHS = 3
"""A search fails if its process dies so often without progress."""
FAULT_SECONDS = 2.0
"""Seconds between two looks at a disk that is full, or at a folder that cannot be written."""
BUSY_SECONDS = 5.0
"""Seconds after which a search is tried again whose run folder another process holds."""


@dataclass(frozen=True, eq=False)
class Worker:
    """Runs searches until it is told to stop.

    Attributes:
        database: the queue.
        folder: where the runs are.
        settings: number of searches at the same time, lease and limits.
    """

    database: Database
    folder: DataFolder
    settings: Settings
    holder: Holder = field(default_factory=Holder.here)
    _stop: threading.Event = field(default_factory=threading.Event)
    _later: dict[str, float] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to work, in threads of this process."""
        for number in range(self.settings.searches):
            self._begin(self._work, f"search-{number}")
        self._begin(self._watch, "watch")

    def stop(self) -> None:
        """End the processes of the searches, and put these back into the queue."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _begin(self, target: Any, name: str) -> None:
        thread = threading.Thread(target=target, name=f"nas-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        """One search after the other. None begins while the data folder cannot be written."""
        fault = ""
        while not self._stop.is_set():
            found = None
            try:
                skip = [id_ for id_, until in list(self._later.items()) if until > time.monotonic()]
                with self.database.read() as connection:
                    waiting = queue.waiting(connection, skip)
                before, fault = fault, self.folder.fault() if waiting else ""
                if fault and fault != before:
                    log.warning("no search begins: %s", fault)
                if waiting and not fault:
                    with self.database.write() as connection:
                        found = queue.claim(connection, self.holder.name, skip)
            except DBAPIError as error:
                log.warning("the database cannot be reached: %s", type(error.orig).__name__)
                self._stop.wait(2.0)
            if found is None:
                self._stop.wait(FAULT_SECONDS if fault else IDLE)
            else:
                log.info("search %s begins, attempt %d", found.id, found.attempt)
                self._later.pop(found.id, None)
                _Run(self, found).run()

    def _watch(self) -> None:
        """Take over the searches of dead workers."""
        seen: dict[str, tuple[tuple[str | None, int], float]] = {}
        while not self._stop.wait(min(1.0, self.settings.lease / 4)):
            try:
                with self.database.read() as connection:
                    running = queue.running(connection)
            except DBAPIError:
                continue
            seen = {one.id: seen[one.id] for one in running if one.id in seen}
            for one in running:
                mark = one.holder, one.beat
                if one.id not in seen or seen[one.id][0] != mark:
                    seen[one.id] = mark, time.monotonic()
                silent = time.monotonic() - seen[one.id][1] > self.settings.lease
                if silent or (one.holder is not None and self.holder.knows_dead(one.holder)):
                    self._take_over(one)

    def _take_over(self, search: StoredSearch) -> None:
        try:
            with self.database.write() as connection:
                if queue.take_over(connection, search, "its worker ended"):
                    log.warning("search %s: its worker ended, the search is queued again", search.id)
        except DBAPIError:
            return


class _Run:
    """One attempt of one search."""

    def __init__(self, worker: Worker, search: StoredSearch) -> None:
        self._worker, self._search = worker, search
        self._began = time.monotonic()
        self._beaten = self._began
        self._unsent: list[dict[str, Any]] = []
        self._cancel = self._lost = False

    def run(self) -> None:
        """Start the process, write down what it says, and end the search or put it back into the queue."""
        settings, folder = self._worker.settings, self._worker.folder
        try:
            config = run_config(self._search, folder, settings)
            errors = folder.log(self._search.id).open("ab")
        except (OSError, ValueError) as error:
            self._settle({"error": {"kind": "machine", "detail": getattr(error, "strerror", None) or str(error)}})
            return
        with errors:
            process = launch(MODULE, folder.path, errors)
        job = {
            "folder": str(folder.run(self._search.id)),
            "inputs": str(folder.input(self._search.id)),
            "config": config,
            "memory": settings.limits.search_memory,
        }
        try:
            if process.stdin is not None:
                process.stdin.write(json.dumps(job).encode() + b"\n")
                process.stdin.flush()
            end = self._listen(Lines(process))
        except (OSError, ValueError) as error:
            log.warning("search %s: %s", self._search.id, error)
            end = None
        finally:
            stop(process)
        self._settle(end, code=process.returncode)

    def _listen(self, lines: Lines) -> dict[str, Any] | None:
        """Events until the end; returns the last message, or None if the process is to be stopped or has died."""
        limit = self._worker.settings.limits.search_seconds
        while not lines.ended:
            message = lines.next(IDLE)
            if message is not None and message["kind"] == "end":
                return message
            if message is not None:
                self._unsent.append(message)
            self._write()
            if self._cancel or self._lost or self._worker._stop.is_set():
                return None
            if time.monotonic() - self._began > limit:
                return {"error": {"kind": "time", "detail": f"the search took longer than {limit / 3600:g} hours"}}
        return None

    def _write(self) -> None:
        """Write events and heartbeat. Without a database they wait: the search itself goes on."""
        beat = time.monotonic() - self._beaten > min(2.0, self._worker.settings.lease / 5)
        if not (self._unsent or beat):
            return
        try:
            with self._worker.database.write() as connection:
                for message in self._unsent:
                    queue.note(connection, self._search, message["kind"], message["data"])
                cancel = queue.heartbeat(connection, self._search)
        except DBAPIError as error:
            log.warning("search %s: events wait, the database cannot be reached: %s", self._search.id, error.orig)
            time.sleep(1.0)
            return
        self._unsent.clear()
        self._beaten = time.monotonic()
        self._cancel, self._lost = bool(cancel), cancel is None

    def _settle(self, end: dict[str, Any] | None, code: int | None = None) -> None:
        """Write the end down, and try again while the database cannot be reached."""
        while not self._lost:
            try:
                with self._worker.database.write() as connection:
                    for message in self._unsent:
                        queue.note(connection, self._search, message["kind"], message["data"])
                    self._decide(connection, end, code)
            except DBAPIError as error:
                log.warning("search %s: its end waits for the database: %s", self._search.id, error.orig)
                if self._worker._stop.wait(2.0):
                    return
            else:
                return

    def _waits_for_disk(self, error: dict[str, Any]) -> bool:
        """Whether the search failed because the disk is full, or a folder cannot be written."""
        return error["kind"] == "disk" or (error["kind"] in ("run", "machine") and bool(self._worker.folder.fault()))

    def _decide(self, connection: Any, end: dict[str, Any] | None, code: int | None) -> None:
        search = get_search(connection, self._search.id, lock=True)
        if search is None or (search.holder, search.attempt) != (self._search.holder, self._search.attempt):
            return
        if end is not None and "result" in end:
            queue.finish(connection, search, "done", result=end["result"])
        elif self._cancel:
            queue.finish(connection, search, "cancelled")
        elif end is not None and end["error"]["kind"] == "busy":
            self._worker._later[search.id] = time.monotonic() + BUSY_SECONDS
            queue.release(connection, search, "another process holds the run")
        elif end is not None and self._waits_for_disk(end["error"]) and search.deaths + 1 < MOST_DEATHS:
            why = f"{end['error']['detail']}; it goes on when the disk can be written"
            queue.release(connection, search, why, died=True)
        elif end is not None:
            queue.finish(connection, search, "failed", error=end["error"])
        elif self._worker._stop.is_set():
            queue.release(connection, search, "the worker was stopped")
        elif search.deaths + 1 >= MOST_DEATHS:
            detail = f"the process of the search died {MOST_DEATHS} times (exit code {code}); it may need more memory"
            queue.finish(connection, search, "failed", error={"kind": "died", "detail": detail}, deaths=0)
        else:
            queue.release(connection, search, f"its process died (exit code {code})", died=True)
        log.info("search %s: attempt %d ended", search.id, search.attempt)
