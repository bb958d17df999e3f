"""Does the service answer in time under load, and does its memory stay the same?

A real `nas serve` process, on a loopback address; this process is the client. Five parts:

  predictions  the same 50 questions again and again, 200 requests a second for 20 s. Bar: the 99th percentile is at most 100 ms
  uploads      20 files a second for 10 s, each another ONNX file of 100 nodes. Bar: every answer is 2xx
  streams      100 streams of events follow one search, and 20 predictions a second are asked meanwhile. Bar: every stream gets every
               event once, in order
  memory       20,000 requests: lists, single resources, predictions, uploads of a known file. Memory of the server and of its call
               process is read every 1,000 requests. Bar: after the first quarter it grows by at most .1 MB per 1,000 requests
  start        five starts on an existing data folder, until the first 200 of `/`. Bar: the median is at most 3 s

Requests of the first three parts are sent at fixed times, whether or not earlier ones are answered ("open loop"); a latency counts from
the time at which the request was to be sent. A part that was measured with the same settings is not measured again.
Usage: python -m benchmarks.service.service_load [--part NAME ...] [--seconds S] [--requests N] [--quick] [--again] [--print]
"""

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.support.http_client import BINARY, Answer, Client
from benchmarks.support.perceptron_files import perceptron
from benchmarks.support.service_process import (
    ServiceProcess,
    children,
    processor_seconds,
    resident_megabytes,
    serving,
)
from benchmarks.support.small_search import SMALL, asked, ended
from benchmarks.support.stored_parts import StoredParts, arguments

QUESTION = (__doc__ or "").splitlines()[0]
QUESTIONS = 50
"""Different predictions that are asked for again and again."""
SEARCH = SMALL | {"trainings": 16, "epochs": 6}
LIMIT = 3600.0
"""Seconds after which a part is given up."""
EVERY = 1000
"""Requests between two looks at the memory."""
AT_ONCE = 8
"""Requests that are under way at the same time while memory is measured."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How long each part takes."""

    predictions_rate: int = 200
    predictions_seconds: float = 20.0
    uploads_rate: int = 20
    uploads_seconds: float = 10.0
    streams: int = 100
    stream_trainings: int = 16
    requests: int = 20_000
    starts: int = 5


QUICK = Size(predictions_seconds=3.0, uploads_seconds=2.0, streams=20, stream_trainings=4, requests=2000, starts=2)


def main() -> None:
    """Measure what is missing, store and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part; repeatable")
    parser.add_argument("--seconds", type=float, help="seconds of predictions and uploads")
    parser.add_argument("--requests", type=int, help="requests while memory is measured")
    args = parser.parse_args()
    size = QUICK if args.quick else Size()
    changed = {"predictions_seconds": args.seconds, "uploads_seconds": args.seconds, "requests": args.requests}
    size = Size(**(vars(size) | {name: value for name, value in changed.items() if value is not None}))
    store = StoredParts("service_load", QUESTION, quick=args.quick, again=args.again)
    for name in () if args.print else args.part or PARTS:
        part = PARTS[name]
        store.measure(name, {one: getattr(size, one) for one in part.settings}, partial(run, part.work, size))
    show(store.parts)


Work = Callable[["Service", Size], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Part:
    """A part of the measurement: its work, and the names of its settings."""

    work: Work
    settings: Sequence[str]


@dataclass(frozen=True)
class Service:
    """A running server and a client of it."""

    server: ServiceProcess
    client: Client


def run(work: Work, size: Size) -> dict[str, Any]:
    """Do the work of a part with a server and a data folder of its own."""

    async def limited() -> dict[str, Any]:
        async with asyncio.timeout(LIMIT):
            await server.ready()
            client = Client(server.port)
            await client.ask("GET", "/v1/tasks")  # returns when the call process is ready
            found = await work(Service(server, client), size)
            client.close()
            return found

    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "data") as server:
        return asyncio.run(limited())


@dataclass
class Sent:
    """Answers to requests that were sent at fixed times: latencies in ms, and how often each status came."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, Any]:
        """Number, percentiles in ms, statuses."""
        found = {f"p{rank}_ms": float(np.percentile(self.latencies, rank)) for rank in (50, 95, 99)}
        rounded = {name: round(value, 2) for name, value in found.items()}
        return {"requests": len(self.latencies)} | rounded | {"statuses": dict(sorted(self.statuses.items()))}


async def open_loop(rate: float, count: int, send: Callable[[int], Awaitable[Answer]]) -> Sent:
    """Send `count` requests, `rate` a second, whether or not the earlier ones are answered."""
    sent, begin = Sent(), time.perf_counter() + 0.1

    async def one(number: int) -> None:
        try:
            status = str((await send(number)).status)
        except OSError as error:
            status = type(error).__name__
        sent.latencies.append(1000 * (time.perf_counter() - begin - number / rate))
        sent.statuses[status] += 1

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            group.create_task(one(number))
    return sent


async def uploaded(client: Client, layers: int = 3) -> str:
    """Upload a perceptron; returns its hash."""
    answer = await client.ask("POST", "/v1/models", perceptron(0, layers), BINARY)
    return str(answer.json()["sha256"])


def questions() -> list[dict[str, Any]]:
    """Different questions about one model."""
    return [{"task": "digits", "method": "gradual", "nnz": 20 * (number + 1)} for number in range(QUESTIONS)]


async def predictor(client: Client) -> Callable[[int], Awaitable[Answer]]:
    """A function that asks for one of a few predictions, all of which the service has answered before."""
    model, asked_for = await uploaded(client), questions()
    for question in asked_for:
        answer = await client.ask("POST", f"/v1/models/{model}:predict", question)
        if answer.status != 200:
            raise RuntimeError(f"a prediction was answered by {answer.status}: {answer.body[:300]!r}")
    return lambda number: client.ask("POST", f"/v1/models/{model}:predict", asked_for[number % QUESTIONS])


async def predictions(service: Service, size: Size) -> dict[str, Any]:
    """Predictions that are remembered, at a fixed rate."""
    ask = await predictor(service.client)
    before = processor_seconds(service.server.pid)
    count = round(size.predictions_rate * size.predictions_seconds)
    sent = await open_loop(size.predictions_rate, count, ask)
    spent = processor_seconds(service.server.pid) - before
    return sent.figures() | {"server_ms_each": round(1000 * spent / count, 2)}


async def uploads(service: Service, size: Size) -> dict[str, Any]:
    """Uploads of different files, at a fixed rate."""
    count = round(size.uploads_rate * size.uploads_seconds)
    files = [perceptron(1 + number) for number in range(count)]
    sent = await open_loop(
        size.uploads_rate, count, lambda number: service.client.ask("POST", "/v1/models", files[number], BINARY)
    )
    return sent.figures() | {"bytes_each": len(files[0])}


async def streams(service: Service, size: Size) -> dict[str, Any]:
    """Streams of events of a running search, with predictions beside it."""
    ask = await predictor(service.client)
    search = await asked(service.client, SEARCH | {"trainings": size.stream_trainings})
    following = [asyncio.create_task(followed(service.client, search)) for _ in range(size.streams)]
    sent, number = Sent(), 0
    while not all(task.done() for task in following):
        part = await open_loop(20, 20, ask)
        sent.latencies += part.latencies
        sent.statuses += part.statuses
        number += 1
    found = await ended(service.client, search)
    received = [task.result() for task in following]
    expected = list(range(1, len(received[0]) + 1))
    return {
        "state": found["state"],
        "events": len(expected),
        "streams": len(received),
        "streams_with_every_event_in_order": sum(numbers == expected for numbers in received),
        "predictions_meanwhile": sent.figures(),
    }


async def followed(client: Client, search: str) -> list[int]:
    """The numbers of the events that a stream brings."""
    return [event.number async for event in client.events(search)]


async def memory(service: Service, size: Size) -> dict[str, Any]:
    """Memory of the server and of its call process, while requests of several kinds are sent one after the other."""
    client = service.client
    ask, model, file = await predictor(client), await uploaded(client), perceptron(0, 3)
    search = await asked(client, SMALL)
    await ended(client, search)
    looks = ["/v1/searches", f"/v1/searches/{search}", "/v1/models", f"/v1/models/{model}", "/v1/tasks"]
    looks += [f"/v1/searches/{search}/{part}" for part in ("trials", "front", "artifacts", "artifacts/report.json")]
    statuses: Counter[str] = Counter()

    async def send(number: int) -> None:
        if number % 10 < 6:
            answer = await client.ask("GET", looks[number % len(looks)])
        elif number % 10 < 9:
            answer = await ask(number)
        else:
            answer = await client.ask("POST", "/v1/models", file, BINARY)
        statuses[str(answer.status)] += 1

    rows = [in_memory(service.server.pid)]
    for first in range(0, size.requests, EVERY):
        await closed_loop(range(first, min(first + EVERY, size.requests)), send)
        rows.append(in_memory(service.server.pid))
    slopes = {name: growth([row[name] for row in rows]) for name in rows[0]}
    return {"statuses": dict(statuses), "growth_mb_per_1000": slopes, "megabytes": rows}


async def closed_loop(numbers: Sequence[int], send: Callable[[int], Awaitable[None]]) -> None:
    """Send requests, a few at a time."""
    waiting = iter(numbers)

    async def work() -> None:
        for number in waiting:
            await send(number)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def in_memory(pid: int) -> dict[str, float]:
    """MB in RAM of the server and of its call process."""
    found = {"server": resident_megabytes(pid)}
    for child in children(pid, "call_process"):
        found["call process"] = resident_megabytes(child)
    return {name: round(value, 2) for name, value in found.items()}


def growth(megabytes: Sequence[float]) -> float:
    """Slope of a straight line through the values after the first quarter, in MB from one value to the next."""
    kept = megabytes[len(megabytes) // 4 :]
    return round(float(np.polyfit(np.arange(len(kept)), kept, 1)[0]), 3) if len(kept) > 1 else 0.0


async def start(service: Service, size: Size) -> dict[str, Any]:
    """Starts on a data folder that exists, with a data base and a model."""
    await uploaded(service.client)
    service.client.close()
    service.server.end()
    rows = []
    for _ in range(size.starts):
        rows.append(await cold(service.server))
        service.server.end()
    medians = {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}
    return {"median": medians, "starts": rows}


async def cold(server: ServiceProcess) -> dict[str, float]:
    """Seconds from the start of the process to the first page, and the processor time that the server took for it."""
    client, began = Client(server.port), time.perf_counter()
    server.start()
    while time.perf_counter() - began < 120:
        try:
            if (await client.ask("GET", "/")).status == 200:
                break
        except OSError:
            await asyncio.sleep(0.01)
    seconds, processor = time.perf_counter() - began, processor_seconds(server.pid)
    client.close()
    return {"seconds": round(seconds, 2), "processor_seconds": round(processor, 2)}


PARTS: Mapping[str, Part] = {
    "predictions": Part(predictions, ("predictions_rate", "predictions_seconds")),
    "uploads": Part(uploads, ("uploads_rate", "uploads_seconds")),
    "streams": Part(streams, ("streams", "stream_trainings")),
    "memory": Part(memory, ("requests",)),
    "start": Part(start, ("starts",)),
}


def show(parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the table."""
    table = Table(title="the service under load")
    for head in ("part", "settings", "measured", "bar", "machine load"):
        table.add_column(head)
    for name in (name for name in PARTS if name in parts):
        part = parts[name]
        settings = ", ".join(f"{word.replace('_', ' ')} {value:g}" for word, value in part["settings"].items())
        load = " to ".join(f"{value:.1f}" for value in part["machine_load"])
        table.add_row(name, settings, SHOWN[name](part), BARS[name], load)
    Console(width=160).print(table)


def _latencies(found: Mapping[str, Any]) -> str:
    statuses = ", ".join(f"{count:,} × {status}" for status, count in found["statuses"].items())
    return f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms; {statuses}"


def _streams(part: Mapping[str, Any]) -> str:
    whole = f"{part['streams_with_every_event_in_order']} of {part['streams']} got all {part['events']} events in order"
    return f"{whole}; search {part['state']}; predictions {_latencies(part['predictions_meanwhile'])}"


def _memory(part: Mapping[str, Any]) -> str:
    last = part["megabytes"][-1]
    return "; ".join(
        f"{name} {last[name]:.0f} MB, {grown:+.3f} a 1,000" for name, grown in part["growth_mb_per_1000"].items()
    )


SHOWN: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "predictions": _latencies,
    "uploads": _latencies,
    "streams": _streams,
    "memory": _memory,
    "start": lambda part: "{seconds:.2f} s, {processor_seconds:.2f} s of processor time".format(**part["median"]),
}
BARS = {
    "predictions": "p99 ≤ 100 ms",
    "uploads": "all 2xx",
    "streams": "every event once, in order",
    "memory": "≤ .1 MB a 1,000",
    "start": "≤ 3 s",
}

if __name__ == "__main__":
    main()
