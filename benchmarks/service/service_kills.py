"""Is every search done exactly once, with the trials of an undisturbed run, when servers, workers, searches and database are killed?

A server and a worker share one queue and run one search each. While they work on 20 small searches, one of their parts is killed every
few seconds with SIGKILL: the server, the worker, the process of a search, the main process of PostgreSQL, all equally often. Order and
moments are drawn from a seed. What has ended is started again at once. If the queue becomes short before the last kill, more searches
are asked for, so that every kill meets work. Afterwards, for every search:

  done        its state is `done`, and its events hold exactly one end
  trials      its table of trials is that of an undisturbed search with the same seed, apart from times
  events      a stream that was followed during the kills, and one that is replayed afterwards, both have the numbers 1 to the last
  files       every file has the stated SHA-256, and the ONNX checker accepts best.onnx

and there are exactly as many searches as were asked for. A search whose process dies three times without progress fails, as the guide
says; so the process of a search is killed at most twice between two rounds. Bar: no fault. Ends with exit code 1 if there is one.
Usage: python -m benchmarks.service.service_kills [--database sqlite|postgresql] [--kills N] [--seed S] [--quick] [--again] [--print]
"""

import asyncio
import csv
import hashlib
import io
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import onnx
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from benchmarks.support.http_client import Answer, Client, Event
from benchmarks.support.private_postgresql import BINARIES, PrivatePostgresql, private_postgresql
from benchmarks.support.service_process import ServiceProcess, children, serving
from benchmarks.support.small_search import ENDED, SMALL, asked, ended
from benchmarks.support.stored_parts import StoredParts, arguments
from nas.service.store import queue_store
from nas.service.store.database import Database
from nas.service.store.search_store import list_searches

QUESTION = (__doc__ or "").splitlines()[0]
DATABASES = ("sqlite", "postgresql")
BODY = SMALL | {"trainings": 6, "epochs": 2}
MOST_DEATHS = 2
"""Deaths of a search's process without progress; one more would end the search, as the guide says."""
SHORT = 2
"""Searches in the queue below which another one is asked for, as long as kills are to come."""
AWAY = 2.0
"""Longest time that the database stays away, in seconds."""
WAIT = 15.0
"""Longest time to wait for a part that can be killed, in seconds."""
LIMIT = 3600.0
"""Seconds after which the measurement is given up."""
DECIDED = (
    "number",
    "round",
    "repeat",
    "way",
    "digest",
    "accuracy",
    "train_accuracy",
    "nnz",
    "seed",
    "error",
    "candidate",
)
"""Columns of a trial that do not depend on the time."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Numbers of kills, searches and different searches, mean seconds between two kills, and the seed of kinds and moments."""

    kills: int = 50
    searches: int = 20
    different: int = 4
    pause: float = 6.0
    seed: int = 1


def main() -> None:
    """Measure what is missing, store and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--database", choices=DATABASES, help="default: both, if PostgreSQL is installed")
    for name, value in asdict(Plan()).items():
        parser.add_argument(f"--{name}", type=type(value), help=f"default: {value}")
    args = parser.parse_args()
    plan = asdict(Plan(kills=3, searches=2, different=2) if args.quick else Plan())
    plan |= {name: getattr(args, name) for name in plan if getattr(args, name) is not None}
    store = StoredParts("service_kills", QUESTION, quick=args.quick, again=args.again)
    for name in () if args.print else [args.database] if args.database else DATABASES:
        if name == "postgresql" and not BINARIES:
            print("postgresql: left out, there is no PostgreSQL server in /usr/lib/postgresql")
            continue
        store.measure(name, plan, partial(measured, Plan(**plan), postgresql=name == "postgresql"))
    show(store.parts)
    sys.exit(any(part["faults"] for part in store.parts.values()))


def measured(plan: Plan, *, postgresql: bool) -> dict[str, Any]:
    """An undisturbed run of each different search, then the run with kills."""
    with tempfile.TemporaryDirectory() as folder:
        calm = calm_trials(Path(folder) / "calm", plan.different)
        with private_postgresql() if postgresql else nullcontext() as server, stand(Path(folder), server) as found:
            return asyncio.run(disturbed(found, plan, calm))


Trials = list[dict[str, str]]


def calm_trials(data: Path, different: int) -> list[Trials]:
    """The trials of each different search without kills."""

    async def found() -> list[Trials]:
        await server.ready()
        client = Client(server.port)
        ids = [await asked(client, BODY | {"seed": 1 + number}) for number in range(different)]
        for id_ in ids:
            if (state := (await ended(client, id_))["state"]) != "done":
                raise RuntimeError(f"an undisturbed search is {state}")
        tables = [await trials_of(client, id_) for id_ in ids]
        client.close()
        return tables

    with serving(data) as server:
        return asyncio.run(found())


async def trials_of(client: Client, id_: str) -> Trials:
    """What the trials of a search are, without their times."""
    text = (await client.ask("GET", f"/v1/searches/{id_}/artifacts/trials.csv")).body.decode()
    return [{name: row[name] for name in DECIDED} for row in csv.DictReader(io.StringIO(text))]


@dataclass
class Stand:
    """The processes that can be killed, and the queue.

    Attributes:
        server, worker: they run one search each.
        postgresql: the database server; None with SQLite.
        database: the queue, to see which process runs which search.
        kills: number of kills by kind.
        failed_starts: how often a server or a worker ended without being killed, because the database was away.
    """

    server: ServiceProcess
    worker: ServiceProcess
    postgresql: PrivatePostgresql | None
    database: Database
    kills: Counter[str] = field(default_factory=Counter)
    failed_starts: int = 0
    _killed: set[int] = field(default_factory=set)

    def keep_up(self) -> None:
        """Start again what has ended, as the supervisor of a machine does."""
        for one in (self.server, self.worker):
            if one.process is not None and one.process.poll() is not None:
                self.failed_starts += one.pid not in self._killed
                one.start()

    def kill(self, kind: str, rng: random.Random) -> bool:
        """Kill a part; False if there is none of that kind now."""
        if kind == "search":
            return self._kill_search(rng)
        if kind == "database":
            return self._kill_database(rng)
        process = self.server if kind == "server" else self.worker
        if process.process is None or process.process.poll() is not None:
            return False
        self._killed.add(process.pid)
        process.kill()
        self.kills[kind] += 1
        return True

    def _kill_search(self, rng: random.Random) -> bool:
        try:
            with self.database.read() as connection:
                held = {one.holder: one.deaths for one in queue_store.running(connection) if one.holder}
        except DBAPIError:
            return False
        pids = {int(holder.split(":")[1]): deaths for holder, deaths in held.items()}
        able = [parent for parent in (self.server.pid, self.worker.pid) if pids.get(parent, MOST_DEATHS) < MOST_DEATHS]
        found = [child for parent in able for child in children(parent, "search_process")]
        if not found:
            return False
        os.kill(rng.choice(found), signal.SIGKILL)
        self.kills["search"] += 1
        return True

    def _kill_database(self, rng: random.Random) -> bool:
        if self.postgresql is None:
            return False
        self.postgresql.end(signal.SIGKILL)
        time.sleep(rng.uniform(0, AWAY))
        self.postgresql.start()
        self.kills["database"] += 1
        return True


@contextmanager
def stand(folder: Path, postgresql: PrivatePostgresql | None) -> Iterator[Stand]:
    """A server and a worker on one queue."""
    data = folder / "data"
    environment, address = {}, f"sqlite:///{data / 'service.sqlite3'}"
    if postgresql is not None:
        environment["NAS_DATABASE"] = postgresql.database("kills")
        address = environment["NAS_DATABASE"].replace("postgresql://", "postgresql+psycopg://")
    server, worker = (ServiceProcess(verb, data, ("--searches", "1"), environment) for verb in ("serve", "worker"))
    database = Database(address)
    try:
        server.start()
        asyncio.run(server.ready())  # it makes the tables
        worker.start()
        yield Stand(server, worker, postgresql, database)
    finally:
        database.close()
        worker.end()
        server.end()


@dataclass
class Followed:
    """A search that was asked for, its seed, and the numbers of the events that its stream brought during the kills."""

    id: str
    seed: int
    numbers: list[int] = field(default_factory=list)
    ends: int = 0

    def take(self, event: Event) -> None:
        """Note an event."""
        self.numbers.append(event.number)
        self.ends += event.kind == "state" and event.data["state"] in ENDED


async def disturbed(found: Stand, plan: Plan, calm: Sequence[Trials]) -> dict[str, Any]:
    """Kill parts while the searches run; returns what became of them."""
    client, rng, followed = Client(found.server.port), random.Random(plan.seed), list[Followed]()
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:

        async def ask_for_one() -> None:
            followed.append(Followed(*await submitted(client, len(followed), plan.different)))
            group.create_task(follow(client, followed[-1]))

        for _ in range(plan.searches):
            await ask_for_one()
        keeper = group.create_task(kept_up(found))
        for kind in kinds_of(plan, rng, database=found.postgresql is not None):
            await asyncio.sleep(min(rng.expovariate(1 / plan.pause), 4 * plan.pause))
            await killed(found, kind, rng)
            if sum(one.ends == 0 for one in followed) <= SHORT:
                await ask_for_one()
        while not all(one.ends for one in followed):
            await asyncio.sleep(0.5)
        keeper.cancel()
    faults = [fault for one in followed for fault in await faults_of(client, one, calm[one.seed - 1])]
    faults += await faults_of_all(client, followed)
    client.close()
    return await summary(found, followed, faults)


def kinds_of(plan: Plan, rng: random.Random, *, database: bool) -> list[str]:
    """The kind of each kill: all kinds equally often, in a random order."""
    kinds = ["server", "worker", "search"] + ["database"] * database
    found = [kinds[number % len(kinds)] for number in range(plan.kills)]
    rng.shuffle(found)
    return found


async def killed(found: Stand, kind: str, rng: random.Random) -> None:
    """Kill a part of that kind as soon as there is one; give up after `WAIT` seconds."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline and not await asyncio.to_thread(found.kill, kind, rng):
        await asyncio.sleep(0.1)


async def kept_up(found: Stand) -> None:
    """Start again what has ended, until this task is cancelled."""
    while True:
        found.keep_up()
        await asyncio.sleep(0.5)


async def submitted(client: Client, number: int, different: int) -> tuple[str, int]:
    """Ask for a search, again and again with the same key until there is an answer; returns its id and its seed."""
    seed = 1 + number % different
    answer = await persistent(client, "POST", "/v1/searches", BODY | {"seed": seed}, {"idempotency-key": f"k{number}"})
    if answer.status != 202:
        raise RuntimeError(f"a search was answered by {answer.status}: {answer.body[:300]!r}")
    return str(answer.json()["id"]), seed


async def persistent(client: Client, method: str, path: str, *rest: Any) -> Answer:
    """The answer to a request, which is sent again while the server or its database is away."""
    while True:
        try:
            answer = await client.ask(method, path, *rest)
        except OSError:
            await asyncio.sleep(0.2)
            continue
        if answer.status != 503:
            return answer
        await asyncio.sleep(0.5)


async def follow(client: Client, search: Followed) -> None:
    """Follow the events of a search until its end; after every break, go on behind the last event."""
    while not search.ends:
        try:
            async for event in client.events(search.id, search.numbers[-1] if search.numbers else 0):
                search.take(event)
        except OSError:
            await asyncio.sleep(0.2)


async def faults_of(client: Client, search: Followed, calm: Trials) -> list[str]:
    """What is wrong with a search that has ended."""
    state = (await persistent(client, "GET", f"/v1/searches/{search.id}")).json()
    replayed = Followed(search.id, search.seed)
    async for event in client.events(search.id):
        replayed.take(event)
    faults = [] if state["state"] == "done" else [f"is {state['state']}: {state['error']}"]
    faults += [] if replayed.ends == 1 else [f"has ended {replayed.ends} times"]
    expected = list(range(1, len(replayed.numbers) + 1))
    faults += [] if replayed.numbers == expected else [f"replayed events are {replayed.numbers}"]
    faults += [] if search.numbers == expected else [f"followed events are {search.numbers}, of {len(expected)}"]
    trials = await trials_of(client, search.id)
    faults += [] if trials == calm else [f"has {len(trials)} trials that are not the {len(calm)} of a calm run"]
    faults += await faults_of_files(client, search.id)
    return [f"search {search.id}, seed {search.seed}: {fault}" for fault in faults]


async def faults_of_files(client: Client, id_: str) -> list[str]:
    """Files that are not what the list of files says, or no ONNX file."""
    items = (await client.ask("GET", f"/v1/searches/{id_}/artifacts")).json()["items"]
    faults = [] if "best.onnx" in {item["name"] for item in items} else ["has no best.onnx"]
    for item in items:
        body = (await client.ask("GET", item["link"])).body
        if (len(body), hashlib.sha256(body).hexdigest()) != (item["bytes"], item["sha256"]):
            faults.append(f"{item['name']} is not whole")
        if item["name"].endswith(".onnx"):
            try:
                onnx.checker.check_model(onnx.ModelProto.FromString(body), full_check=True)
            except Exception as error:  # noqa: BLE001  protobuf and onnx have several classes; all are a fault
                faults.append(f"{item['name']}: {error}")
    return faults


async def faults_of_all(client: Client, followed: Sequence[Followed]) -> list[str]:
    """Searches that nobody asked for, and lost ones."""
    found, page = [], (await client.ask("GET", "/v1/searches?limit=100")).json()
    while True:
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        page = (await client.ask("GET", f"/v1/searches?limit=100&cursor={page['next']}")).json()
    asked_for = [one.id for one in followed]
    return [] if sorted(found) == sorted(asked_for) else [f"{len(found)} searches for {len(asked_for)} requests"]


async def summary(found: Stand, followed: Sequence[Followed], faults: list[str]) -> dict[str, Any]:
    """The figures."""
    with found.database.read() as connection:
        attempts = sum(one.attempt for one in list_searches(connection, limit=1000))
    return {
        "kills": dict(sorted(found.kills.items())),
        "searches": len(followed),
        "attempts": attempts,
        "events": sum(len(one.numbers) for one in followed),
        "starts_without_database": found.failed_starts,
        "faults": faults[:50],
    }


def show(parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the table and the faults."""
    table = Table(title="searches under kills (bar: no fault)")
    heads = ("database", "kills", "searches", "attempts", "events", "faults", "minutes", "machine load")
    for head in heads:
        table.add_column(head)
    for name, part in parts.items():
        kills = ", ".join(f"{count} × {kind}" for kind, count in part["kills"].items())
        load = " to ".join(f"{value:.1f}" for value in part["machine_load"])
        figures = (str(part[figure]) for figure in ("searches", "attempts", "events"))
        table.add_row(name, kills, *figures, str(len(part["faults"])), f"{part['seconds'] / 60:.1f}", load)
    Console(width=140).print(table)
    for name, part in parts.items():
        for fault in part["faults"]:
            print(f"{name}: {fault}")


if __name__ == "__main__":
    main()
