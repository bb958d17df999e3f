"""Does any of 10,000 broken requests crash the service, give an answer 5xx or an error that is no problem+json, or show a secret?

A server with two tokens. The owner A has a data set, a search with an `Idempotency-Key`, and a token; beside the data folder there is a
file that nobody may read, and a link to it lies in a run folder. B (scope `run`, nine requests in ten) and A send requests that are made
from valid ones: odd addresses, queries, headers and methods, paths out of the folder, JSON bodies with changed values or bytes, damaged
ONNX files and predictions for them, damaged tables and archives, bytes that are no HTTP any more. Bars:

  crashes     the server is the same process at the end and answers; restarts of the process that reads files are shown apart, since it
              is meant to be replaced
  5xx         none, except 503 of the type `busy` and 507 (disk full)
  errors      every answer from 400 on is application/problem+json with type, title, status and detail. What is no HTTP is answered by the
              HTTP parser, with text; such answers are counted apart
  answers     every request that is HTTP is answered
  secrets     no answer to B holds a value of A's data set, A's token or key, the content of the file outside, a variable of the
              environment, or a path of the server. (Errors and reports may quote class names and single values of a data set; the planted
              ones are such that none has a reason to.)

The request of a number is always the same: --number N sends this one alone and prints the answer. Ends with exit code 1 after a fault.
Usage: python -m benchmarks.service.service_fuzz [--database sqlite|postgresql] [--requests N] [--seed S] [--number N]
       [--quick] [--again] [--print]
"""

import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.support.http_client import BINARY, CSV, Answer, Client, ClosedError, Connection
from benchmarks.support.onnx_zoo import zoo
from benchmarks.support.perceptron_files import perceptron
from benchmarks.support.places import BENCHMARKS
from benchmarks.support.private_postgresql import BINARIES, private_postgresql
from benchmarks.support.request_fuzz import MAKERS, FuzzedRequest, Known, request
from benchmarks.support.service_process import ServiceProcess, serving
from benchmarks.support.small_search import SMALL, ended
from benchmarks.support.stored_parts import StoredParts, arguments

QUESTION = (__doc__ or "").splitlines()[0]
REQUESTS, SEED = 10_000, 1
AT_ONCE = 4
"""Requests that are under way at the same time."""
PATIENCE = 3.0
"""Seconds to wait for the rest of a stream, and for an answer to bytes that may be no HTTP."""
LIMIT = 4 * 3600.0
"""Seconds after which the measurement is given up."""
ALLOWED = (503, 507)
DATABASES = ("sqlite", "postgresql")
MOST_FAULTS = 50
"""Most faults that are stored in full."""
COLUMNS = ("note", "kind", "length")


def main() -> None:
    """Measure what is missing, store and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--database", choices=DATABASES, help="default: both, if PostgreSQL is installed")
    parser.add_argument("--requests", type=int, default=None, help=f"default: {REQUESTS:,}")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--number", type=int, help="send the request of this number alone, and store nothing")
    args = parser.parse_args()
    if args.number is not None:
        one = partial(measured, args.seed, [args.number], shown=True)
        print(json.dumps(one(postgresql=args.database == "postgresql"), indent=1))
        return
    store = StoredParts("service_fuzz", QUESTION, quick=args.quick, again=args.again)
    count = args.requests or (300 if args.quick else REQUESTS)
    for name in () if args.print else [args.database] if args.database else DATABASES:
        if name == "postgresql" and not BINARIES:
            print("postgresql: left out, there is no PostgreSQL server in /usr/lib/postgresql")
            continue
        work = partial(measured, args.seed, range(count), postgresql=name == "postgresql")
        store.measure(name, {"requests": count, "seed": args.seed}, work)
    for name, part in store.parts.items():
        show(name, part)
    sys.exit(any(part["fault_count"] or not part["alive"] for part in store.parts.values()))


@dataclass
class Secrets:
    """Texts that no answer to B may hold, by what they are."""

    texts: dict[str, str] = field(default_factory=dict)

    def plant(self, what: str) -> str:
        """A new text that nobody can guess."""
        self.texts[what] = f"planted{secrets.token_hex(12)}"
        return self.texts[what]

    def shown_in(self, answer: Answer) -> list[str]:
        """Which of them an answer shows."""
        whole = answer.body + json.dumps(dict(answer.headers)).encode()
        return [what for what, text in self.texts.items() if text.encode() in whole]


@dataclass
class Tally:
    """What the answers were, by kind of request."""

    rows: dict[str, Counter[str]] = field(default_factory=lambda: {kind: Counter() for kind in MAKERS})
    faults: list[dict[str, Any]] = field(default_factory=list)
    fault_count: int = 0

    def note(self, number: int, sent: FuzzedRequest, answer: Answer | None, words: Sequence[str]) -> None:
        """Count an answer (None: there was none) and the faults of it."""
        row = self.rows[sent.kind]
        row["requests"] += 1
        row[status_word(sent, answer)] += 1
        for word in words:
            row[word] += 1
            self.fault_count += 1
            if len(self.faults) < MOST_FAULTS:
                told = {"number": number, "kind": sent.kind, "fault": word, "method": sent.method}
                told |= {"path": sent.path[:200], "body": repr(sent.body[:200])}
                if answer is not None:
                    told |= {"status": answer.status, "answer": repr(answer.body[:300])}
                self.faults.append(told)


def status_word(sent: FuzzedRequest, answer: Answer | None) -> str:
    """The column of an answer."""
    if answer is None:
        return "no answer"
    if by_parser(sent, answer):
        return "by parser"
    return str(answer.status) if answer.status in ALLOWED else f"{answer.status // 100}xx"


def by_parser(sent: FuzzedRequest, answer: Answer) -> bool:
    """Whether the HTTP parser refused the bytes, before the service saw a request."""
    return answer.status == 400 and answer.body.startswith(b"Invalid HTTP request")


def faults_of(sent: FuzzedRequest, answer: Answer | None, hidden: Secrets) -> list[str]:
    """What is wrong with an answer."""
    if answer is None:
        return [] if sent.raw else ["no answer"]
    found = [f"shows {what}" for what in hidden.shown_in(answer)]
    if answer.status >= 500 and not (answer.status == 507 or b"urn:nas:problem:busy" in answer.body):
        found.append(f"a wrong {answer.status}")
    if answer.status >= 400 and not by_parser(sent, answer) and not is_problem(sent, answer):
        found.append("no problem+json")
    return found


def is_problem(sent: FuzzedRequest, answer: Answer) -> bool:
    """Whether the answer is application/problem+json as RFC 9457 describes it."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return False
    if sent.method == "HEAD" or sent.raw:
        return True
    try:
        body = answer.json()
    except ValueError:
        return False
    named = all(isinstance(body.get(name), str) and body[name] for name in ("type", "title", "detail"))
    return named and body.get("status") == answer.status


def measured(seed: int, numbers: Sequence[int], *, postgresql: bool, shown: bool = False) -> dict[str, Any]:
    """Send the requests of these numbers to a server with that database."""
    with private_postgresql() if postgresql else nullcontext() as database, tempfile.TemporaryDirectory() as folder:
        place, environment = Path(folder), {}
        if database is not None:
            environment["NAS_DATABASE"] = database.database("fuzz")
        hidden, tokens = Secrets(), [token(place / "data", name, environment) for name in ("a", "b")]
        (place / "outside").mkdir()
        for name in ("secret.txt", "secret.csv"):
            (place / "outside" / name).write_text(hidden.plant(f"the file {name}") + "\n")
        search = asyncio.run(prepared(place, hidden, tokens[0], environment))
        flags = ("--searches", "0", "--queue", "100000", "--daily-trainings", "1000000")
        environment["NAS_PLANTED"] = hidden.plant("the environment")
        with serving(place / "data", *flags, **environment) as server:
            return asyncio.run(fuzzed(server, search, hidden, tokens, seed, numbers, shown=shown))


def token(data: Path, name: str, environment: Mapping[str, str]) -> str:
    """A new token of the scope `run`."""
    command = [sys.executable, "-m", "nas", "token", "create", name, "--scope", "run", "--data", str(data)]
    surrounding = {**os.environ, **environment}
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=surrounding).stdout
    found = re.search(r"nas_[A-Za-z0-9_-]{43}", printed)
    if found is None:
        raise RuntimeError("`nas token create` printed no token")
    return found[0]


async def prepared(place: Path, hidden: Secrets, text: str, environment: Mapping[str, str]) -> str:
    """Let A make a search that is done; returns its id. A link out of the folder is put among its files."""
    with serving(place / "data", **environment) as server:
        await server.ready()
        client = Client(server.port, text)
        answer = await client.ask("POST", "/v1/searches", SMALL, {"idempotency-key": hidden.plant("A's key")})
        search = str(answer.json()["id"])
        state = (await ended(client, search))["state"]
        client.close()
    if state != "done":
        raise RuntimeError(f"the search of A is {state}")
    (place / "data" / "runs" / search / "link.txt").symlink_to(place / "outside" / "secret.txt")
    hidden.texts |= {
        "A's token": text,
        "the path of the data": str(place),
        "the path of the code": str(BENCHMARKS.parent),
    }
    return search


def table(hidden: Secrets) -> bytes:
    """A's data set: a column of texts, a class, a number."""
    note, kind = hidden.plant("a text of A's data"), hidden.plant("a class of A's data")
    rows = [f"{note}{row % 5},{kind if row % 2 else 'other'},{row * 0.37 % 1:.3f}" for row in range(60)]
    return "\n".join((",".join(COLUMNS), *rows)).encode()


async def known_of(client: Client, place: Path, search: str, hidden: Secrets) -> Known:
    """What requests can name."""
    document = (await client.ask("GET", "/openapi.json")).json()
    operations = [(method.upper(), path) for path, item in document["paths"].items() for method in item]
    operations += [("GET", "/"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/style.css")]
    model = (await client.ask("POST", "/v1/models", perceptron(0, 3), BINARY)).json()["sha256"]
    dataset = (await client.ask("POST", "/v1/datasets?target=kind", table(hidden), CSV)).json()["sha256"]
    return Known(
        operations=operations,
        search=search,
        model=model,
        dataset=dataset,
        columns=COLUMNS,
        models=zoo(exports=False),
        outside="../../outside/secret.txt",
    )


async def fuzzed(
    server: ServiceProcess,
    search: str,
    hidden: Secrets,
    tokens: Sequence[str],
    seed: int,
    numbers: Sequence[int],
    *,
    shown: bool,
) -> dict[str, Any]:
    """Send the requests; returns the figures."""
    await server.ready()
    owner, other = (Client(server.port, text) for text in tokens)
    known, tally, pid = await known_of(owner, server.data, search, hidden), Tally(), server.pid
    waiting, nothing = iter(numbers), Secrets()

    async def work() -> None:
        for number in waiting:
            client, secret = (owner, nothing) if number % 10 == 9 else (other, hidden)
            sent = request(known, seed, number)
            answer = await sent_by(client, sent)
            tally.note(number, sent, answer, faults_of(sent, answer, secret))
            if shown:
                print(sent.method, sent.path, sent.headers, sent.body[:2000], answer, sep="\n")
            if sent.then and answer is not None and answer.status in (200, 201):
                path = sent.then.replace("SHA", answer.json()["sha256"])
                then = FuzzedRequest(kind=sent.kind, method="POST", path=path, body=b'{"task": "digits"}')
                answer = await sent_by(client, then)
                tally.note(number, then, answer, faults_of(then, answer, secret))

    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        live = await other.ask("GET", "/v2/health/ready")
        metrics = (await owner.ask("GET", "/metrics")).body.decode()
    restarts = re.search(r"^nas_call_process_restarts (\S+)$", metrics, re.MULTILINE)
    alive = live.status == 200 and server.process is not None and server.process.poll() is None and server.pid == pid
    return {
        "alive": alive,
        "call_process_restarts": int(float(restarts[1])) if restarts else None,
        "bugs_in_log": server.log.read_text().count('"text": "bug"'),
        "by_kind": {kind: dict(row) for kind, row in tally.rows.items()},
        "fault_count": tally.fault_count,
        "faults": tally.faults,
    }


async def sent_by(client: Client, sent: FuzzedRequest) -> Answer | None:
    """The answer to a request; None if the connection was closed, or bytes that are no HTTP were not answered in time."""
    try:
        if sent.raw:
            return await raw_answer(client.port, sent.body)
        headers = sent.headers or ({"content-type": "application/json"} if sent.body else {})
        message = client.request(sent.method, sent.path, sent.body, headers)
        return await client.send(message, head_only=sent.method == "HEAD", patience=PATIENCE)
    except (ClosedError, TimeoutError):
        return None


async def raw_answer(port: int, content: bytes) -> Answer:
    """The answer to bytes, over a connection of their own."""
    connection = await Connection.to(port)
    try:
        async with asyncio.timeout(PATIENCE):
            return await connection.exchange(content, patience=PATIENCE)
    finally:
        connection.close()


def show(name: str, found: Mapping[str, Any]) -> None:
    """Print the table and the faults."""
    columns = ("requests", "2xx", "3xx", "4xx", "503", "507", "5xx", "by parser", "no answer", "no problem+json")
    table = Table(title=f"broken requests by kind, {name}")
    table.add_column("kind")
    for head in (*columns, "secrets shown"):
        table.add_column(head, justify="right")
    for kind, row in found["by_kind"].items():
        leaks = sum(count for word, count in row.items() if word.startswith("shows"))
        table.add_row(kind, *(f"{row.get(column, 0):,}" for column in columns), str(leaks))
    Console(width=150).print(table)
    state = "the same process, it answers" if found["alive"] else "CRASHED"
    print(f"server: {state}; restarts of the process that reads files: {found['call_process_restarts']}", end="; ")
    print(f"bugs in the log: {found['bugs_in_log']}; faults: {found['fault_count']}")
    for fault in found["faults"]:
        print(fault)


if __name__ == "__main__":
    main()
