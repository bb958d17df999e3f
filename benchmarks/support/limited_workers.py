"""Processes that try damaged files, each with a limit of memory and time; one that dies or hangs is replaced.

A *trial* runs the stages of one file in order and gives every stage a verdict. Memory is what a stage adds to its process,
time is processor time, so that a busy machine does not change a verdict.
"""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

SECONDS = 20.0
BYTES = 2 * 10**9
_GRACE = 2.0
"""Multiple of the time limit after which a stage is stopped from outside."""
_SLEEP = 600.0
"""Seconds of wall time after which a stage that does nothing is stopped."""

Stage = Callable[[Path], None]
"""Function that tries a file; its errors are judged."""
Accepted = Callable[[BaseException], bool]
"""Function that returns whether an error is one that users are promised."""

ACCEPTED, REFUSED, SKIPPED = "accepted", "refused", "not reached"
UNTYPED, SLOW, LARGE, CRASH = "untyped", "too slow", "too large", "crash"
WRONG = (UNTYPED, SLOW, LARGE, CRASH)


class SkippedError(Exception):
    """Raised by a stage that has nothing to try."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of one stage of one file.

    Attributes:
        stage: name of the stage.
        verdict: one of the words above.
        detail: short text of the error.
        seconds: processor time.
        bytes: memory that the stage added at its peak.
    """

    stage: str
    verdict: str
    detail: str = ""
    seconds: float = 0.0
    bytes: int = 0

    def to_json(self) -> dict[str, object]:
        """As plain JSON values."""
        return asdict(self)


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    job: int | None = None
    stage: str = "start"
    began: float = 0.0
    cpu: float = 0.0
    found: list[Verdict] | None = None


def tried(
    jobs: Iterable[tuple[int, Path]],
    start: Callable[[], tuple[Mapping[str, Stage], Accepted]],
    *,
    workers: int,
    seconds: float = SECONDS,
    limit: int = BYTES,
) -> Iterator[tuple[int, list[Verdict]]]:
    """Try files in several processes.

    Args:
        jobs: numbers and paths; a path is not used for another job before its verdicts have been given.
        start: function of a module that each process calls once; it returns the stages and the test for promised errors.
        workers: number of processes.
        seconds: limit of the processor time of a stage.
        limit: limit of the bytes that a stage may add.

    Yields:
        The number of a job and the verdicts of its stages; after a crash the verdicts of later stages are missing.
    """
    waiting, pool = iter(jobs), [_new(start, seconds, limit) for _ in range(workers)]
    more = True
    try:
        while more or any(worker.job is not None for worker in pool):
            for place, worker in enumerate(pool):
                if worker.job is None and more:
                    job = next(waiting, None)
                    more = job is not None
                    if job is not None:
                        _give(worker, job)
                pool[place] = worker
            wait([worker.pipe for worker in pool if worker.job is not None], timeout=1.0)
            for place, worker in enumerate(pool):
                if worker.job is not None and (done := _hear(worker, seconds)) is not None:
                    yield worker.job, done
                    worker.job = None
                    if not worker.process.is_alive() or (done and done[-1].verdict in (CRASH, SLOW)):
                        _end(worker)
                        pool[place] = _new(start, seconds, limit)
    finally:
        for worker in pool:
            _end(worker)


def _new(start: Callable[[], tuple[Mapping[str, Stage], Accepted]], seconds: float, limit: int) -> _Worker:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(there, start, seconds, limit), daemon=True
    )
    process.start()
    there.close()
    return _Worker(process, here)


def _give(worker: _Worker, job: tuple[int, Path]) -> None:
    worker.job, worker.found, worker.stage, worker.began = job[0], [], "start", time.monotonic()
    worker.cpu = _processor_seconds(worker.process.pid)
    with suppress(OSError):  # it died: the closed pipe shows it when it is read
        worker.pipe.send(job[1])


def _hear(worker: _Worker, seconds: float) -> list[Verdict] | None:
    """The verdicts of a finished job; None while it is running."""
    found = worker.found if worker.found is not None else []
    try:
        while worker.pipe.poll():
            message = worker.pipe.recv()
            if message is None:
                return found
            if isinstance(message, Verdict):
                found.append(message)
            else:
                worker.stage, worker.began = message, time.monotonic()
                worker.cpu = _processor_seconds(worker.process.pid)
    except (EOFError, OSError):
        worker.process.join(10)
        return [*found, Verdict(stage=worker.stage, verdict=CRASH, detail=f"exit code {worker.process.exitcode}")]
    spent = _processor_seconds(worker.process.pid) - worker.cpu
    if worker.stage != "start" and (spent > _GRACE * seconds or time.monotonic() - worker.began > _SLEEP):
        worker.process.kill()
        return [*found, Verdict(stage=worker.stage, verdict=SLOW, detail="stopped", seconds=spent)]
    return None


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _processor_seconds(pid: int | None) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# In the process


def _serve(
    pipe: Connection, start: Callable[[], tuple[Mapping[str, Stage], Accepted]], seconds: float, limit: int
) -> None:
    stages, accepted = start()
    size = _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (size + limit + limit // 4, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        path = pipe.recv()
        for name, stage in stages.items():
            pipe.send(name)
            pipe.send(_tried(name, stage, accepted, path, seconds, limit))
        pipe.send(None)


def _tried(name: str, stage: Stage, accepted: Accepted, path: Path, seconds: float, limit: int) -> Verdict:
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    before, began = _status("VmRSS"), time.process_time()
    verdict, detail = outcome(stage, accepted, path)
    spent, added = time.process_time() - began, _status("VmHWM") - before
    if verdict not in (UNTYPED, LARGE):
        verdict = LARGE if added > limit else SLOW if spent > seconds else verdict
    return Verdict(stage=name, verdict=verdict, detail=detail, seconds=spent, bytes=max(added, 0))


def outcome(stage: Stage, accepted: Accepted, path: Path) -> tuple[str, str]:
    """Try a stage in this process: the verdict, without limits of time and memory, and the error in short."""
    try:
        stage(path)
    except SkippedError:
        return SKIPPED, ""
    except BaseException as error:  # noqa: BLE001
        shown = f"{type(error).__name__}: {error}"[:400]
        if _out_of_memory(error):
            return LARGE, shown
        return (REFUSED, shown) if accepted(error) else (UNTYPED, f"{shown} ({_place(error)})")
    return ACCEPTED, ""


def _out_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or "allocate memory" in str(error) or "bad_alloc" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def _status(name: str) -> int:
    """An entry of the kernel's status of this process, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0]) * 1024
